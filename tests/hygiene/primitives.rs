//! Types of the program that are called like primitive ones.

#![allow(dead_code, non_camel_case_types)]

struct char;
struct f64;
struct i32;
struct i64;
struct isize;
struct u16;
struct u32;
struct u64;
struct usize;

include!("program/every_macro.rs");
