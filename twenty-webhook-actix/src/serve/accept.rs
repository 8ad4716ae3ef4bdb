use std::net::TcpListener;
#[cfg(target_os = "linux")]
use std::{io, os::fd::AsRawFd, time::Duration};

use actix_web::dev::ServerHandle;
use actix_web::rt::time::Instant;
#[cfg(target_os = "linux")]
use actix_web::rt::time::sleep;
#[cfg(target_os = "linux")]
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

/// actix pauses in its acceptor's own thread, and does not say when. If it takes longer than this, it logs that it cannot accept.
#[cfg(target_os = "linux")]
const PAUSING: Duration = Duration::from_micros(200);

/// How long actix accepts between two pauses.
#[cfg(target_os = "linux")]
const ACCEPTING: Duration = Duration::from_millis(20);

/// Accepts no more connections. A paused actix keeps the socket open until it has stopped, and the kernel resets the connections that it
/// queued until then.
///
/// So `own`, another handle of the socket, is closed by the deadline, after the connections in the queue are accepted: clients are then
/// refused. `None` if other processes may have the socket too: for them it must stay open.
#[cfg_attr(not(target_os = "linux"), expect(unused_variables, reason = "only Linux can close a socket that listens"))]
pub(super) async fn stop_accepting(server: &ServerHandle, own: Option<TcpListener>, deadline: Instant) {
    server.pause().await;
    #[cfg(target_os = "linux")]
    if let Some(own) = own {
        loop {
            // A timer of the runtime takes at least a millisecond, and many connections may arrive in that time.
            std::thread::sleep(PAUSING);
            if !has_queued(&own).unwrap_or(true) || Instant::now() >= deadline {
                break;
            }
            server.resume().await;
            sleep(ACCEPTING).await;
            server.pause().await;
        }
        // Fails only if it is closed.
        let _ = socket2::SockRef::from(&own).shutdown(std::net::Shutdown::Read);
    }
}

/// Whether connections wait in the kernel's queue.
#[cfg(target_os = "linux")]
fn has_queued(listener: &TcpListener) -> io::Result<bool> {
    let mut poll = Poll::new()?;
    poll.registry().register(&mut SourceFd(&listener.as_raw_fd()), Token(0), Interest::READABLE)?;
    let mut events = Events::with_capacity(1);
    poll.poll(&mut events, Some(Duration::ZERO))?;
    Ok(!events.is_empty())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use actix_web::rt::time::Instant;
    use actix_web::rt::{spawn, task::spawn_blocking};
    use actix_web::{App, HttpResponse, HttpServer, web};

    use super::stop_accepting;

    const DEADLINE: Duration = Duration::from_secs(20);

    fn request(stream: &mut TcpStream) -> std::io::Result<String> {
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[actix_web::test]
    async fn the_queue_is_served_and_then_connections_are_refused() {
        for own in [true, false] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            let handle = listener.try_clone().unwrap();
            let server = HttpServer::new(|| App::new().route("/", web::get().to(HttpResponse::Ok)));
            let server = server.workers(1).disable_signals().listen(listener).unwrap().run();
            let control = server.handle();
            let server = spawn(server);
            control.pause().await;
            let mut queued: Vec<_> = (0..20).map(|_| TcpStream::connect(addr).unwrap()).collect();
            stop_accepting(&control, own.then_some(handle), Instant::now() + DEADLINE).await;
            assert_eq!(TcpStream::connect(addr).is_err(), own);
            if own {
                let answers = spawn_blocking(move || queued.iter_mut().map(request).collect::<Vec<_>>());
                for answer in answers.await.unwrap() {
                    assert!(answer.as_ref().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")), "{answer:?}");
                }
            }
            control.stop(true).await;
            server.await.unwrap().unwrap();
        }
    }
}
