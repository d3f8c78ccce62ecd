//! A broker inside a program: started, used by a consumer that the program has itself, stopped.
//!
//! `cargo run --package brooklet --example embedded`

use brooklet::{Broker, Record};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::builder().topic("greetings", 1).start().await?;
    println!("any client can connect to {}", broker.bootstrap_servers());

    broker.produce("greetings", 0, [Record::new("en", "hello"), Record::new("da", "hej").header("tone", "warm")])?;
    for record in broker.records("greetings")? {
        let text = |bytes: Option<bytes::Bytes>| String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        println!("{}: {} = {}", record.offset, text(record.key), text(record.value));
    }
    broker.shutdown().await;
    Ok(())
}
