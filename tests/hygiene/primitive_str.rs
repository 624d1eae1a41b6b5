//! A type of the program that is called `str`.

#![allow(dead_code, non_camel_case_types)]

struct str;

include!("program/every_macro.rs");
