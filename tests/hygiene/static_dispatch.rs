//! A static that is called like the parameter of a generated function.

#![allow(dead_code, non_upper_case_globals)]

use diator::prelude::*;

static dispatch: u8 = 1;

include!("program/one_request.rs");
