//! A type that is called like the parameter of a generated function.

#![allow(dead_code, non_camel_case_types)]

use diator::prelude::*;

struct dispatch;

include!("program/one_request.rs");
