// The server's routes, as the page uses them. Addresses are relative, so that the page works behind a proxy's prefix.
import * as store from './store.js';

/** What the server answered instead: its sentence, its code, the status. */
export class ApiError extends Error {
  constructor(message, status = 0, code = null) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const health = () => request('health');
export const models = async () => (await (await request('v1/models')).json()).data;
export const metrics = async () => (await request('metrics')).text();

/** Sends a request whose answer is streamed; gives the events as they come, those that come together in one array. */
export async function* stream(path, body, signal) {
  const response = await request(path, {
    method: 'POST', body: JSON.stringify(body), signal, headers: { 'Content-Type': 'application/json' },
  });
  let isWhole = false;
  for await (const batch of batches(response.body)) {
    isWhole = batch.at(-1) === '[DONE]';
    const events = batch.filter(data => data !== '[DONE]').map(data => JSON.parse(data));
    const failure = events.findIndex(event => event.error);
    yield failure < 0 ? events : events.slice(0, failure);
    if (failure >= 0) throw new ApiError(events[failure].error.message, response.status, events[failure].error.code);
  }

  if (!isWhole) throw new ApiError('The connection ended before the answer did.');
}

async function request(path, options = {}) {
  const key = store.key();
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...(key && { Authorization: `Bearer ${key}` }) } });
  } catch {
    throw new ApiError('The server does not answer.');
  }

  if (response.ok) return response;
  const error = (await response.json().catch(() => null))?.error;
  throw new ApiError(error?.message ?? `The server answered with status ${response.status}.`, response.status, error?.code);
}

/** The data of server-sent events; comments are left out. */
async function* batches(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => { throw new ApiError('The connection was lost.'); });
      if (done) return;
      const parts = (rest + value).split('\n\n');
      rest = parts.pop();
      const data = parts.filter(part => part.startsWith('data: ')).map(part => part.slice(6));
      if (data.length > 0) yield data;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
