use super::*;

/// What a compile-time container has: one number that is shared, and numbers made anew.
#[derive(Default)]
struct Source {
    made: AtomicUsize,
    shared: Option<Arc<A>>,
}

impl Source {
    fn make(&self) -> Box<dyn Number> {
        Box::new(A(self.made.fetch_add(1, Ordering::SeqCst) + 1))
    }
}

fn source() -> Arc<Source> {
    Arc::default()
}

#[tokio::test]
async fn what_it_shares_is_a_singleton() {
    let shared = Arc::new(A(7));
    let source = Arc::new(Source { shared: Some(shared.clone()), ..Source::default() });
    let services = Services::new().provide_from(source, |from| {
        from.singleton::<dyn Number>(|source| source.shared.clone().unwrap())
            .singleton::<A>(|source| source.shared.clone().unwrap())
    });
    assert_eq!(services.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Singleton);
    assert_eq!(singleton::<dyn Number>(&services).unwrap().number(), 7);
    assert!(Arc::ptr_eq(&singleton::<A>(&services).unwrap(), &shared));
}

#[tokio::test]
async fn what_it_makes_for_a_message_is_shared_within_it_and_not_across() {
    let services = Services::new().provide_from(source(), |from| from.scoped::<dyn Number>(|source| Ok(source.make())));
    assert_eq!(services.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Scoped);
    let (one, other) = (open(&services), open(&services));
    assert_eq!(get::<dyn Number>(&*one).await.unwrap().number(), 1);
    assert_eq!(get::<dyn Number>(&*other).await.unwrap().number(), 2);
    assert_eq!(get::<dyn Number>(&*one).await.unwrap().number(), 1);
}

#[tokio::test]
async fn what_it_makes_each_time_is_new_each_time() {
    let services =
        Services::new().provide_from(source(), |from| from.transient::<dyn Number>(|source| Ok(source.make())));
    assert_eq!(services.lifetime(&DependencyKey::of::<dyn Number>()), Lifetime::Transient);
    let scope = open(&services);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 1);
    assert_eq!(get::<dyn Number>(&*scope).await.unwrap().number(), 2);
}

#[tokio::test]
async fn what_it_cannot_make_is_said_in_its_words() {
    let services = Services::new().provide_from(source(), |from| {
        from.scoped::<dyn Number>(|_| Err("out of numbers".into())).transient::<A>(|_| Err("out of them too".into()))
    });
    let scope = open(&services);
    assert_eq!(get::<dyn Number>(&*scope).await.err().unwrap(), "out of numbers");
    assert_eq!(get::<A>(&*scope).await.err().unwrap(), "out of them too");
}

#[tokio::test]
async fn other_services_may_need_it_and_a_test_may_replace_it() {
    struct Needs(Arc<dyn Number>);
    let services = Services::new()
        .provide_from(source(), |from| from.scoped::<dyn Number>(|source| Ok(source.make())))
        .scoped(|scope| Ok(Needs(scope.get()?)));
    assert_eq!(get::<Needs>(&*open(&services)).await.unwrap().0.number(), 1);
    let services = services.singleton::<dyn Number>(Arc::new(A(9)));
    assert_eq!(get::<Needs>(&*open(&services)).await.unwrap().0.number(), 9);
}

#[test]
fn a_singleton_cannot_have_what_it_makes_for_a_message() {
    struct Captures(Arc<dyn Number>);
    let _ = |captures: Captures| captures.0;
    let services = Services::new()
        .provide_from(source(), |from| from.scoped::<dyn Number>(|source| Ok(source.make())))
        .singleton_with(|scope| Ok(Captures(scope.get()?)));
    let [problem] = &problems(&services)[..] else { panic!("there is one problem") };
    assert!(problem.contains(std::any::type_name::<dyn Number>()), "{problem}");
}

#[test]
fn the_source_lives_as_long_as_the_services() {
    let source = source();
    let weak = Arc::downgrade(&source);
    let services = Services::new().provide_from(source, |from| from.scoped::<dyn Number>(|source| Ok(source.make())));
    let clone = services.clone();
    drop(services);
    assert!(weak.upgrade().is_some());
    drop(clone);
    assert!(weak.upgrade().is_none());
}
