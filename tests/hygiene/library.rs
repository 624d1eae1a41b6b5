//! Items of the program that are called like those of the library.

#![allow(dead_code)]

struct BoxError;
struct Dependency;
struct Dispatch;
struct EventDescriptor;
struct HandlerDescriptor;
struct HandlerSet;
struct Location;
struct Mark;
struct Mediator;
struct RequestDescriptor;
struct RequestKind;
struct Self_;
struct SendError;
struct Sender;
struct SlotIndex;
struct Slots;
trait Command {}
trait DomainEvent {}
trait Event {}
trait EventHandler {}
trait HandledBy {}
trait Inject {}
trait InjectField {}
trait Query {}
trait Registered {}
trait Request {}
trait RequestHandler {}
trait SentFrom {}
trait Service {}

include!("program/every_macro.rs");
