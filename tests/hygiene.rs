//! Names that generated code uses are the program's own to use: in its expressions, its types and its modules.
//!
//! Each file is a program, whose `main` this runs; where only what stands beside it is the case, it includes one of `program`.
//! Where the macros write a name, it begins with `__diator`, but for the mark of a request and its handler, which is one that
//! the item does not use; what they read has a path.

extern crate schemars_renamed as schemars;

macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod hygiene {
            $( pub(crate) mod $case; )+
        }

        $(
            #[test]
            fn $case() {
                hygiene::$case::main();
            }
        )+
    };
}

cases! {
    blanket_key,
    blanket_traits,
    cloned_type_slot,
    const_dispatch,
    const_key,
    const_names,
    const_own_slot,
    const_schema,
    crates,
    event_location,
    event_slot,
    field_type_location,
    field_type_slot,
    fn_dispatch,
    fn_key,
    inventory_names,
    library,
    macro_hygiene,
    macros,
    marker_as_handler,
    marker_as_request,
    marker_as_service,
    marker_as_value,
    own_dispatch,
    own_methods,
    own_type,
    prelude,
    primitive_bool,
    primitive_str,
    primitives,
    request_location,
    request_slot,
    response_names,
    sender_as_parameter,
    sender_as_request,
    sender_in_bounds,
    sender_in_response,
    static_dispatch,
    static_key,
    static_own_slot,
    struct_dispatch,
    struct_key,
    with_dependencies,
    with_location,
    with_own_slot,
    with_slot,
}
