use super::*;

#[test]
fn on_close_of_what_is_not_scoped_is_a_problem() {
    let close = |_: Arc<A>, _| async { Ok(()) };
    for services in [
        Services::new().transient(|_| Ok(A(0))).on_close(close),
        Services::new().value(A(0)).on_close(close),
        Services::new().on_close(close),
    ] {
        assert_eq!(problems(&services).len(), 1, "on_close would never be called, and nobody says so");
    }
}

#[test]
fn a_singleton_replaced_after_it_was_built_is_replaced() {
    let services = Services::new().singleton_with(|_| Ok(A(1)));
    services.validate().unwrap();
    let services = services.singleton_with(|_| Ok(A(2)));
    assert_eq!(singleton::<A>(&services).unwrap().0, 2);
}

#[test]
fn what_a_built_singleton_was_made_of_may_be_replaced() {
    let services = Services::new().value(1_usize).singleton_with(|s| Ok(A(*s.get::<usize>()?)));
    {
        let mediator = services.clone();
        mediator.validate().unwrap();
    }
    assert_eq!(singleton::<A>(&services.value(2_usize)).unwrap().0, 2);
}

#[test]
fn a_module_that_was_validated_on_its_own_is_built_anew() {
    let module = Services::new().value(1_usize).singleton_with(|s| Ok(A(*s.get::<usize>()?)));
    module.validate().unwrap();
    let services = Services::new().extend(module).value(2_usize);
    assert_eq!(singleton::<A>(&services).unwrap().0, 2);
}

#[test]
fn a_singleton_cannot_have_a_messages_meta() {
    struct Captures(Arc<Meta>);
    let _ = |captures: Captures| captures.0;
    let services = Services::new().singleton_with(|s| Ok(Captures(s.get::<Meta>()?)));
    assert_eq!(problems(&services).len(), 1, "it got an empty meta, silently");
}

#[tokio::test]
async fn meta_is_scoped_as_its_lifetime_says() {
    let scope = open(&Services::new());
    let meta = Meta::new();
    let (a, b) = (scope.get::<Meta>(&meta).await.unwrap(), scope.get::<Meta>(&meta).await.unwrap());
    assert!(Arc::ptr_eq(&a, &b), "`the same one for a scoped service each time it is asked for`");
}

#[test]
fn the_captive_error_names_the_singleton() {
    struct T(Arc<A>);
    struct S(Arc<T>);
    let _ = |t: T, s: S| (t.0, s.0);
    let services =
        Services::new().scoped(|_| Ok(A(0))).transient(|s| Ok(T(s.get()?))).singleton_with(|s| Ok(S(s.get()?)));
    let p = problems(&services);
    assert!(p[0].contains(&format!(
        "the singleton `{}` needs the scoped service `{}`",
        std::any::type_name::<S>(),
        std::any::type_name::<A>()
    )));
}
