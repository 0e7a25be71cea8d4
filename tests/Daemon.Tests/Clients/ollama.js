// Ollama's JavaScript client against a server over the stub device. Arguments: address, expected answer to "Hello" in 12 tokens.
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';

const [address, expected] = process.argv.slice(2);
const client = new Ollama({ host: address });
const messages = [{ role: 'user', content: 'Hello' }];
const options = { num_predict: 12, temperature: 0 };

const whole = await client.chat({ model: 'bard', messages, options });
assert.equal(whole.message.content, expected);
assert.equal(whole.eval_count, 12);
console.log('chat');

let text = '';
let last;
for await (const part of await client.chat({ model: 'bard', messages, options, stream: true })) {
  text += part.message.content;
  last = part;
}
assert.equal(text, expected);
assert.equal(last.done, true);
console.log('chat stream');

assert.equal((await client.generate({ model: 'bard', prompt: 'Hello', options })).response, expected);
text = '';
for await (const part of await client.generate({ model: 'bard', prompt: 'Hello', options, stream: true })) text += part.response;
assert.equal(text, expected);
console.log('generate');

assert.deepEqual((await client.list()).models.map((model) => model.name), ['bard']);
assert.equal((await client.ps()).models.length, 1);
assert.equal((await client.show({ model: 'bard' })).details.format, 'weft');
console.log('models');

await assert.rejects(client.chat({ model: 'other', messages }), (error) => error.status_code === 404 && /does not exist/.test(error.message));
console.log('errors');

const stream = await client.chat({ model: 'bard', messages, options: { num_predict: 900 }, stream: true });
let count = 0;
try {
  for await (const part of stream) {
    if (++count === 3) stream.abort();
  }
} catch (error) {
  assert.equal(error.name, 'AbortError');
}
assert.ok(count < 900);
console.log('cancellation');
