//! The catalog: what it knows, each of its renderings, and what it says of a change.

#[path = "catalog/asyncapi.rs"]
mod asyncapi;
#[path = "catalog/changes.rs"]
mod changes;
#[path = "catalog/edges.rs"]
mod edges;
#[path = "catalog/endpoints.rs"]
mod endpoints;
#[path = "catalog/hostile.rs"]
mod hostile;
#[path = "catalog/model.rs"]
mod model;
#[path = "catalog/renderings.rs"]
mod renderings;
#[path = "catalog/world.rs"]
mod world;
