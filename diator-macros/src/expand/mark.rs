use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, Path};

use crate::paths;

/// What the message tells middleware; the trait's default if that is nothing.
pub(super) fn marks(root: &Path, marks: &[Expr]) -> Option<TokenStream> {
    (!marks.is_empty()).then(|| {
        let marks = marks.iter().map(|mark| {
            // An error about a value that cannot be shared underlines it, and not the derive.
            let value = quote_spanned!(paths::located(mark.span())=> &#mark);
            let text = text(mark.to_token_stream());
            quote!(#root::Mark { value: #value, text: #text })
        });
        quote! {
            const MARKS: &'static [#root::Mark] = &[#(#marks),*];
        }
    })
}

/// The tokens as a text for people. Not `stringify!`: its blanks depend on the compiler, and the text is kept in files.
fn text(tokens: TokenStream) -> String {
    let mut text = String::new();
    let mut last = Last::Open;
    for token in tokens {
        let is_word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if last == Last::Separator || (last == Last::Word && is_word) {
            text.push(' ');
        }
        last = match &token {
            TokenTree::Punct(punct) if punct.as_char() == ',' => Last::Separator,
            TokenTree::Punct(punct) if punct.as_char() == ':' && !text.ends_with(':') => match punct.spacing() {
                Spacing::Joint => Last::Open,
                Spacing::Alone => Last::Separator,
            },
            TokenTree::Punct(_) => Last::Open,
            _ => Last::Word,
        };
        match token {
            TokenTree::Group(group) => {
                let inner = self::text(group.stream());
                text += &match group.delimiter() {
                    Delimiter::Parenthesis => format!("({inner})"),
                    Delimiter::Bracket => format!("[{inner}]"),
                    Delimiter::Brace => format!(" {{ {inner} }}"),
                    Delimiter::None => inner,
                };
            }
            other => text += &other.to_string(),
        }
    }
    text
}

/// What the text ends with, as far as it decides on a blank.
#[derive(PartialEq)]
enum Last {
    Word,
    Separator,
    Open,
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_mark_reads_as_it_was_written() {
        for mark in [
            "Audited",
            "RateLimit(5)",
            "roles::Role::Admin",
            "RateLimit { per_minute: 30, burst: [1, -2] }",
            "Requires(\"a , b : c\")",
            "Requires::<u8>::of(&['x', 'y'])",
            "limits::new(2*30, true as u8)",
        ] {
            assert_eq!(super::text(mark.parse().expect("these are tokens")), mark);
        }
    }
}
