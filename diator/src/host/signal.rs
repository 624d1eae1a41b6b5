/// Ends when the process is asked to end: by SIGTERM, or by Ctrl-C.
///
/// # Guarantees
///
/// From the first poll on, these signals no longer end the process by themselves.
///
/// # Panics
///
/// The system refuses to watch for signals; outside a tokio runtime with its driver for signals.
pub async fn shutdown_signal() {
    let interrupted = async {
        tokio::signal::ctrl_c().await.expect("the system lets a process watch for Ctrl-C");
    };
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};

        let mut terminated = signal(SignalKind::terminate()).expect("the system lets a process watch for SIGTERM");
        crate::race::either(interrupted, terminated.recv()).await;
    }
    #[cfg(not(unix))]
    interrupted.await;
}
