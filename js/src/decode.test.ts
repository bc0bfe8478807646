import { describe, expect, it } from "vitest";
import { asBytes, decodePayload, fromBase64, gunzip } from "./decode";

const encode = (text: string) => new TextEncoder().encode(text);

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

describe("decoding", () => {
  it("reads base64 with line breaks", () => {
    expect([...fromBase64("AAEC\n/w==")]).toEqual([0, 1, 2, 255]);
  });

  it("inflates what is gzip and leaves the rest", async () => {
    expect(await gunzip(await gzip(encode("abc")))).toEqual(encode("abc"));
    expect(await gunzip(encode("plain"))).toEqual(encode("plain"));
  });

  it("refuses a payload of another version", async () => {
    await expect(decodePayload(await gzip(encode('{"version": 99}')))).rejects.toThrow("version 99");
  });

  it("takes only the bytes that a view covers", () => {
    expect([...asBytes(new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2))]).toEqual([2, 3]);
  });
});
