// One answer in the making: what is asked for, and what is measured while it comes.
import { stream } from './api.js';
import { answerOf } from './thinking.js';

/** Adds to a message's text what the server streams after the messages before it. Failures end up in the message, as does the reason for which it was stopped. */
export async function generate(message, before, request, changed, signal) {
  const began = performance.now();
  // Pieces that come together with the first one say nothing about the rate.
  let [first, last, pieces, early] = [0, 0, 0, 0];
  const measure = usage => {
    const tokens = usage?.completion_tokens ?? pieces;
    message.stats = {
      tokens, prompt: usage?.prompt_tokens, cached: usage?.prompt_tokens_details?.cached_tokens, isCounted: Boolean(usage),
      first: first ? (first - began) / 1000 : undefined, rate: last > first && tokens > early ? (tokens - early) / (last - first) * 1000 : undefined,
    };
  };
  try {
    const [path, prompt] = request.mode === 'chat' ? ['v1/chat/completions', chat(before, request.system)] : ['v1/completions', completion(before)];
    const body = { ...(request.model && { model: request.model }), ...prompt, ...request.sampling, reasoning_format: 'none', stream: true, stream_options: { include_usage: true } };
    for await (const events of stream(path, body, signal)) {
      const now = performance.now();
      for (const { choices: [choice], usage } of events) {
        const text = choice?.delta?.content ?? choice?.text;
        if (text) {
          message.text += text;
          first ||= now;
          last = now;
          pieces++;
          if (now === first) early++;
        }

        message.finish = choice?.finish_reason ?? message.finish;
        measure(usage);
      }

      changed();
    }
  } catch (error) {
    if (signal.aborted) message.finish = signal.reason;
    else message.error = { text: error.message, code: error.code, status: error.status };
  } finally {
    message.running = false;
    changed();
  }
}

/** Messages that got no answer are left out, as their answers are: templates want turns to alternate. Neither do models read again what they thought. */
function chat(before, system) {
  const turns = before.filter((message, i) => message.text && before[i + 1]?.text !== '')
    .map(({ role, text }) => ({ role, content: role === 'assistant' ? answerOf(text) : text }));
  return { messages: system ? [{ role: 'system', content: system }, ...turns] : turns };
}

const completion = before => ({ prompt: before.map(message => message.text).join('') });
