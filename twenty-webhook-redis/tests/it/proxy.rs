use std::future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};

use crate::handled;
use crate::server::Server;

/// A proxy to the server that fails once, after the server ran a script and before the guard gets the answer.
pub(crate) struct Proxy {
    address: SocketAddr,
    dropped: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
pub(crate) enum Failure {
    /// The guard gets this error.
    Answers(&'static str),
    /// The connection closes.
    Closes,
    /// The connection stays open, without any more answers.
    Stalls,
}

impl Proxy {
    pub(crate) async fn that_drops_an_answer(server: &Server, failure: Failure) -> Self {
        // Loads the scripts, so that the guard's first `EVALSHA` runs one.
        let unique = format!("load the scripts: {}", getrandom::u64().unwrap());
        handled(&server.guard(), &unique).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, dropped) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let (target, flag) = (server.url().trim_start_matches("redis://").to_owned(), Arc::clone(&dropped));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(target.clone()).await.unwrap();
                tokio::spawn(forward(client, server, Arc::clone(&flag), failure));
            }
        });
        Self { address, dropped }
    }

    pub(crate) async fn that_answers_once(server: &Server, error: &'static str) -> Self {
        Self::that_drops_an_answer(server, Failure::Answers(error)).await
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn has_dropped_one(&self) -> bool {
        self.dropped.load(SeqCst)
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, dropped: Arc<AtomicBool>, failure: Failure) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = copy(&mut from_server, &mut to_client);
    let requests = async {
        let mut request = vec![0; 4096];
        while let Ok(len @ 1..) = from_client.read(&mut request).await {
            to_server.write_all(&request[..len]).await.unwrap();
            if request[..len].windows(7).any(|word| word == b"EVALSHA") && !dropped.swap(true, SeqCst) {
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
        // The answer shows that the script has run.
        let _ = from_server.read(&mut [0; 4096]).await;
        match failure {
            Failure::Closes => {}
            Failure::Stalls => future::pending().await,
            Failure::Answers(error) => to_client.write_all(format!("{error}\r\n").as_bytes()).await.unwrap(),
        }
    }
}
