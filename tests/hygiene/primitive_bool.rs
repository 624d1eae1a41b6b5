//! A type of the program that is called `bool`.

#![allow(dead_code, non_camel_case_types)]

struct bool;

include!("program/every_macro.rs");
