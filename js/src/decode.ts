// From the bytes that Python wrote to a payload.

import { PAYLOAD_VERSION, type Payload } from "./payload";

/** Read base64 text, white space allowed. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const native = (Uint8Array as { fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }).fromBase64;
  if (native) return native.call(Uint8Array, text);
  const binary = atob(text.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

/** Undo gzip; bytes that are not gzip come back as they are. */
export async function gunzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Decode a payload and check that this front end can read it. */
export async function decodePayload(bytes: Uint8Array<ArrayBuffer>): Promise<Payload> {
  const payload = JSON.parse(new TextDecoder().decode(await gunzip(bytes))) as Payload;
  if (payload.version !== PAYLOAD_VERSION) {
    throw new Error(
      `This view was written in payload version ${payload.version}; this front end reads ${PAYLOAD_VERSION}. Install the same graphlens on both sides.`,
    );
  }
  return payload;
}

/** See any kind of buffer as bytes of their own memory. */
export function asBytes(buffer: ArrayBuffer | ArrayBufferView): Uint8Array<ArrayBuffer> {
  const view = ArrayBuffer.isView(buffer)
    ? new Uint8Array(buffer.buffer as ArrayBuffer, buffer.byteOffset, buffer.byteLength)
    : new Uint8Array(buffer);
  return view.slice();
}
