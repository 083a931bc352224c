//! How messages are taken off the wire: looked at before they are decoded.
//!
//! A decoded message can be far larger than the bytes that it came in: an empty element of a list takes two of them, and dozens in memory. So
//! what has lists is bounded more tightly than a batch, which has none.

use std::marker::PhantomData;

use prost::Message;
use tonic::Status;
use tonic::codec::{BufferSettings, DecodeBuf, Decoder};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::v1;

/// Messages of an agent, but for batches, are no larger. A container's labels may come near half of it: what Docker keeps of one, and an agent
/// reads, is a megabyte.
pub const SMALL_BYTES_MAX: usize = 2 << 20;
/// Field 3 of `AgentMessage`, delimited by its length.
const BATCH_KEY: u8 = 3 << 3 | 2;

/// Says of an encoded message whether it is to be decoded; the error is why not.
pub trait Admit {
    /// `bytes`: the whole message.
    fn admit(_bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

impl Admit for v1::AggregatorMessage {}
impl Admit for v1::SourcesRequest {}
impl Admit for v1::SourcesReply {}

impl Admit for v1::AgentMessage {
    fn admit(bytes: &[u8]) -> Result<(), String> {
        if bytes.len() <= SMALL_BYTES_MAX || is_one_batch(bytes) {
            return Ok(());
        }
        Err(format!("a message of {} bytes that is no batch; {SMALL_BYTES_MAX} are the most", bytes.len()))
    }
}

/// Whether a batch is all there is: nothing hides behind it.
fn is_one_batch(bytes: &[u8]) -> bool {
    let Some((&BATCH_KEY, mut rest)) = bytes.split_first() else { return false };
    prost::decode_length_delimiter(&mut rest).is_ok_and(|length| length == rest.len())
}

/// Protocol buffers, as `tonic_prost` has them, behind [`Admit`].
#[derive(Clone, Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> tonic::codec::Codec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Admit + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = ProstEncoder<T>;
    type Decoder = Admitting<U>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstCodec::<T, U>::raw_encoder(BufferSettings::default())
    }

    fn decoder(&mut self) -> Self::Decoder {
        Admitting(ProstCodec::<T, U>::raw_decoder(BufferSettings::default()))
    }
}

/// Decodes what is admitted.
#[derive(Clone, Debug)]
pub struct Admitting<U>(ProstDecoder<U>);

impl<U: Message + Admit + Default> Decoder for Admitting<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        // The bytes of a message lie in one piece.
        U::admit(bytes::Buf::chunk(bytes)).map_err(Status::invalid_argument)?;
        let unreadable =
            |status: Status| Status::invalid_argument(format!("a message cannot be read: {}", status.message()));
        self.0.decode(bytes).map_err(unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::agent_message;

    #[test]
    fn what_is_large_is_one_batch() {
        let encoded = |message| v1::AgentMessage { message: Some(message) }.encode_to_vec();
        let batch = |bytes: usize| {
            encoded(agent_message::Message::Batch(v1::Batch { columns: vec![7; bytes].into(), ..Default::default() }))
        };
        let open = |labels: usize| {
            let labels = vec![v1::Label::default(); labels];
            encoded(agent_message::Message::OpenSource(v1::OpenSource { labels, ..Default::default() }))
        };
        let admitted = |bytes: &[u8]| v1::AgentMessage::admit(bytes).is_ok();
        // As many labels as fit into the file that Docker has for a container.
        assert!(admitted(&[]) && admitted(&open(1 << 19)) && admitted(&batch(10)));
        assert!(admitted(&batch(SMALL_BYTES_MAX)) && admitted(&batch(16 << 20)));
        assert!(!admitted(&open(SMALL_BYTES_MAX)));
        // Not even with a batch before it or behind it.
        let large = open(SMALL_BYTES_MAX);
        assert!(!admitted(&[batch(10), large.clone()].concat()) && !admitted(&[large, batch(10)].concat()));
        assert!(!admitted(&[batch(SMALL_BYTES_MAX), vec![0]].concat()));
        let cut = batch(SMALL_BYTES_MAX);
        assert!(!admitted(&cut[..cut.len() - 1]));
    }
}
