//! A program that imports `async_trait` itself may import the prelude, too; and so may one that does so by a glob.

#![deny(warnings)]

mod by_name {
    use async_trait::async_trait;
    use diator::prelude::*;

    #[async_trait]
    pub trait Clock: Send + Sync {
        async fn hour(&self) -> Result<u8, BoxError>;
    }
}

mod by_globs {
    use async_trait::*;
    use diator::prelude::*;

    #[async_trait]
    impl super::by_name::Clock for super::Noon {
        async fn hour(&self) -> Result<u8, BoxError> {
            Ok(12)
        }
    }
}

mod by_path {
    use diator::prelude::*;

    #[async_trait::async_trait]
    pub trait Calendar: Send + Sync {
        async fn today(&self) -> Result<u8, BoxError>;
    }
}

mod by_prelude {
    use std::sync::Arc;

    use diator::prelude::*;

    #[async_trait]
    impl super::by_path::Calendar for super::Noon {
        async fn today(&self) -> Result<u8, BoxError> {
            Ok(1)
        }
    }

    pub fn calendar() -> Arc<dyn super::by_path::Calendar> {
        Arc::new(super::Noon)
    }
}

struct Noon;

fn main() {
    let clock: std::sync::Arc<dyn by_name::Clock> = std::sync::Arc::new(Noon);
    let _ = (clock, by_prelude::calendar());
}
