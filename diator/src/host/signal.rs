/// Waits for SIGTERM or Ctrl-C.
///
/// # Guarantees
///
/// After the first poll these signals no longer end the process by themselves.
///
/// # Panics
///
/// - If the operating system refuses to report signals.
/// - Outside a tokio runtime with its signal driver.
///
/// # Example
///
/// ```no_run
/// use diator::BoxError;
/// use diator::host::{Host, shutdown_signal};
///
/// async fn run(host: Host) -> Result<(), BoxError> {
///     Ok(host.run_until(shutdown_signal()).await?)
/// }
/// # let _ = run;
/// ```
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
