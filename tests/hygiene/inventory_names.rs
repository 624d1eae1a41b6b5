//! Items of the program that are called like those that the registry writes.

#![allow(dead_code)]

static __INVENTORY: u8 = 0;
static __CTOR: u8 = 0;
fn __ctor() {}
struct Node;
struct ErasedNode;

include!("program/every_macro.rs");
