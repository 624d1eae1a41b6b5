//! Macros of the program that are called like those of the standard library.

#![allow(unused_macros)]

use diator::prelude::*;

macro_rules! column {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! concat {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! file {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! line {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! stringify {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! unreachable {
    () => {
        compile_error!("it is the program's own")
    };
}
macro_rules! vec {
    () => {
        compile_error!("it is the program's own")
    };
}

include!("program/one_request.rs");
