use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::handled;
use crate::server::Server;

/// A line to the server that fails once: after a script was run there, and before its answer is here.
pub(crate) struct Proxy {
    address: SocketAddr,
    swallowed: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
pub(crate) enum Failure {
    Breaks,
    /// It stays open, and nothing comes any more.
    FallsSilent,
}

impl Proxy {
    pub(crate) async fn that_swallows_an_answer(server: &Server, then: Failure) -> Self {
        // Loaded before, so that the first script of the guard is run at once.
        handled(&server.guard(), "load the scripts").await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, swallowed) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (target, flag) = (server.url().trim_start_matches("redis://").to_owned(), Arc::clone(&swallowed));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(line(client, TcpStream::connect(target.clone()).await.unwrap(), Arc::clone(&flag), then));
            }
        });
        Self { address, swallowed }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn has_swallowed(&self) -> bool {
        self.swallowed.load(SeqCst)
    }
}

async fn line(mut client: TcpStream, mut server: TcpStream, swallowed: Arc<AtomicBool>, then: Failure) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = copy(&mut from_server, &mut to_client);
    let requests = async {
        let mut request = vec![0; 4096];
        while let Ok(len @ 1..) = from_client.read(&mut request).await {
            to_server.write_all(&request[..len]).await.unwrap();
            if request[..len].windows(7).any(|word| word == b"EVALSHA") && !swallowed.swap(true, SeqCst) {
                return true;
            }
        }
        false
    };
    let fails = tokio::select! {
        _ = answers => false,
        fails = requests => fails,
    };
    if fails {
        // The answer: it was run.
        let _ = from_server.read(&mut [0; 4096]).await;
        if matches!(then, Failure::FallsSilent) {
            future::pending::<()>().await;
        }
    }
}
