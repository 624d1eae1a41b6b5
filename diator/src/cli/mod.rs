pub fn run(_b: crate::MediatorBuilder) {}
