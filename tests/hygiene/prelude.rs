//! Types, traits and values of the program that are called like those of the prelude.

#![allow(dead_code)]

struct Box;
struct Err;
struct None;
struct Ok;
struct Option;
struct Result;
struct Some;
struct String;
struct Vec;
trait Clone {}
trait Copy {}
trait Debug {}
trait Default {}
trait Drop {}
trait Fn {}
trait FnMut {}
trait FnOnce {}
trait From {}
trait Future {}
trait Into {}
trait Send {}
trait Sized {}
trait Sync {}
trait ToString {}
trait Unpin {}

include!("program/every_macro.rs");
