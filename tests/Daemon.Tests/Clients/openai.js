// OpenAI's Node client against a server over the stub device. Arguments: address, expected answer to "Hello" in 12 tokens.
import assert from 'node:assert/strict';
import OpenAI from 'openai';

const [address, expected] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'any', maxRetries: 0 });
const messages = [{ role: 'user', content: 'Hello' }];

const whole = await client.chat.completions.create({ model: 'bard', messages, max_tokens: 12, temperature: 0 });
assert.equal(whole.choices[0].message.content, expected);
assert.equal(whole.usage.completion_tokens, 12);
console.log('chat');

const stream = await client.chat.completions.create({
  model: 'bard', messages, max_completion_tokens: 12, temperature: 0, stream: true, stream_options: { include_usage: true },
});
let text = '';
let last;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? '';
  last = chunk;
}
assert.equal(text, expected);
assert.equal(last.usage.completion_tokens, 12);
console.log('chat stream');

const helper = client.chat.completions.stream({ model: 'bard', messages, max_tokens: 12, temperature: 0 });
assert.equal((await helper.finalChatCompletion()).choices[0].message.content, expected);
console.log('chat stream helper');

const completion = await client.completions.create({ model: 'bard', prompt: ['a', 'b'], max_tokens: 3, n: 2 });
assert.equal(completion.choices.length, 4);
console.log('completion');

const pieces = [];
for await (const chunk of await client.completions.create({ model: 'bard', prompt: 'a', max_tokens: 8, stream: true })) pieces.push(chunk.choices[0].text);
assert.ok(pieces.join('').length > 0);
console.log('completion stream');

assert.deepEqual((await client.models.list()).data.map((model) => model.id), ['bard']);
assert.equal((await client.models.retrieve('bard')).id, 'bard');
console.log('models');

await assert.rejects(client.chat.completions.create({ model: 'other', messages }), (error) => error.status === 404 && error.code === 'model_not_found');
await assert.rejects(client.chat.completions.create({ model: 'bard', messages, temperature: -1 }), (error) => error.status === 400 && error.param === 'temperature');
console.log('errors');

const cancelled = await client.chat.completions.create({ model: 'bard', messages, max_tokens: 900, stream: true });
let count = 0;
for await (const chunk of cancelled) {
  if (++count === 3) break; // closes the connection
}
console.log('cancellation');
