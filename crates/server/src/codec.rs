//! One codec for all unary calls, at both ends. The type of a message depends on the call, whose path the codec knows.

use bytes::{Buf as _, Bytes};
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

/// Writes messages `W` and reads messages `R` of one call.
pub(crate) struct CallCodec<W, R> {
    /// The call.
    pub path: &'static str,
    /// Writes a message.
    pub write: fn(W, &mut EncodeBuf<'_>),
    /// Reads a message of this call from its bytes.
    pub read: fn(&'static str, Bytes) -> Result<R, Status>,
}

impl<W, R> Clone for CallCodec<W, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<W, R> Copy for CallCodec<W, R> {}

impl<W: Send + 'static, R: Send + 'static> Codec for CallCodec<W, R> {
    type Encode = W;
    type Decode = R;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl<W, R> Encoder for CallCodec<W, R> {
    type Item = W;
    type Error = Status;

    fn encode(&mut self, message: W, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        (self.write)(message, out);
        Ok(())
    }
}

impl<W, R> Decoder for CallCodec<W, R> {
    type Item = R;
    type Error = Status;

    fn decode(&mut self, bytes: &mut DecodeBuf<'_>) -> Result<Option<R>, Status> {
        let length = bytes.remaining();
        (self.read)(self.path, bytes.copy_to_bytes(length)).map(Some)
    }
}
