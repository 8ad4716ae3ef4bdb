//! A sender may close its side of the connection right after its request. The delivery still counts, and is not sent again.

use std::net::{Shutdown, TcpStream};
use std::thread;

use super::process::{Process, count, eventually};
use super::wire::{Post, read_answer, write};

const DELIVERIES: usize = 50;

#[test]
fn on_axum_a_closed_side_loses_no_delivery() {
    a_closed_side_loses_no_delivery("axum-receiver");
}

#[test]
fn on_actix_a_closed_side_loses_no_delivery() {
    a_closed_side_loses_no_delivery("actix-receiver");
}

#[test]
#[ignore = "builds SQLite"]
fn with_an_inbox_a_closed_side_loses_no_delivery() {
    a_closed_side_loses_no_delivery("inbox-receiver");
}

fn a_closed_side_loses_no_delivery(example: &str) {
    let receiver = Process::start(example);
    let mut sent = Vec::new();
    let mut ids = |what: &str| {
        let ids: Vec<_> = (0..DELIVERIES).map(|number| format!("{what} {number}")).collect();
        sent.extend(ids.clone());
        ids
    };

    for id in ids("closed half with the request") {
        let mut stream = receiver.connect();
        write(&mut stream, &Post::new(&id).bytes());
        stream.shutdown(Shutdown::Write).unwrap();
        let answer = read_answer(stream);
        assert!(answer.starts_with("HTTP/1.1 20"), "{example}: {id}: {answer}");
    }
    for id in ids("closed with the request") {
        close_after(receiver.connect(), &id);
    }
    for id in ids("closed while the receiver is stopped") {
        let stream = receiver.connect_accepted();
        receiver.while_stopped(|| close_after(stream, &id));
    }
    let new = ids("opened and closed while the receiver is stopped");
    receiver.while_stopped(|| {
        thread::scope(|scope| new.iter().for_each(|id| drop(scope.spawn(|| close_after(receiver.connect(), id)))));
    });

    eventually("all are handled", || receiver.handled().len() >= sent.len());
    assert_eq!(receiver.stop().handled, count(sent), "{example}");
}

fn close_after(mut stream: TcpStream, id: &str) {
    write(&mut stream, &Post::new(id).bytes());
}
