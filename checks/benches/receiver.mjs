// The code sample of Twenty's docs, on Node's http: parse, stringify, HMAC. It prints the port that it listens on.
// (The docs' sample calls JSON.stringify twice; no delivery passes that.)
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = process.argv[2];

const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
    const timestamp = request.headers['x-twenty-webhook-timestamp'];
    const expected = createHmac('sha256', secret).update(`${timestamp}:${JSON.stringify(body)}`).digest('hex');
    const signature = request.headers['x-twenty-webhook-signature'];
    const genuine = signature.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
    response.writeHead(genuine ? 200 : 401, { 'content-length': 0 });
    response.end();
  });
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
