// SHA-256 (FIPS 180-4), here because pages on plain http have no crypto.subtle, and because it is
// several times faster on short messages than asking for each one.
const K = [];
const START = [];
{
  const part = (root) => ((root - Math.floor(root)) * 0x100000000) | 0;
  for (let n = 2; K.length < 64; n++) {
    let prime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) { prime = false; break; }
    if (!prime) continue;
    if (START.length < 8) START.push(part(Math.sqrt(n)));
    K.push(part(Math.cbrt(n)));
  }
}
const w = new Int32Array(64);

function digest(bytes) {
  const length = ((bytes.length + 8) >> 6) + 1;
  const words = new Int32Array(length * 16);
  for (let i = 0; i < bytes.length; i++) words[i >> 2] |= bytes[i] << (24 - (i & 3) * 8);
  words[bytes.length >> 2] |= 0x80 << (24 - (bytes.length & 3) * 8);
  words[length * 16 - 1] = bytes.length * 8;
  const hash = Int32Array.from(START);
  for (let at = 0; at < words.length; at += 16) {
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      if (i < 16) w[i] = words[at + i];
      else {
        const x = w[i - 15], y = w[i - 2];
        const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
        const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
        w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
      }
      const S1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + S1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const S0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (S0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { hash[i] = (hash[i] + value) | 0; });
  }
  return hash;
}

onmessage = ({ data: { challenge, bits } }) => {
  const encoder = new TextEncoder();
  for (let n = 0; ; n++) {
    const proof = `${challenge}:${n}`;
    const hash = digest(encoder.encode(proof));
    if (Math.clz32(hash[0]) >= Math.min(bits, 32)) {
      postMessage(proof);
      return;
    }
  }
};
