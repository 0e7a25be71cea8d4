// What was measured of an answer, in words.
const Finish = { length: 'token limit', stopped: 'stopped', interrupted: 'interrupted' };

const duration = seconds => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`);

/** A line and what explains it. Without the server's count, pieces of the stream stand for tokens. */
export function statsOf({ stats, finish }) {
  const parts = [];
  if (stats?.tokens) parts.push(`${stats.isCounted ? '' : '~'}${stats.tokens} ${stats.tokens === 1 ? 'token' : 'tokens'}`);
  if (stats?.rate) parts.push(`${stats.rate < 100 ? stats.rate.toFixed(1) : Math.round(stats.rate)} tokens/s`);
  if (stats?.first) parts.push(`first after ${duration(stats.first)}`);
  if (Finish[finish]) parts.push(Finish[finish]);
  return [parts.join(' · '), stats?.prompt ? `The prompt had ${stats.prompt} tokens, of which ${stats.cached} were in the cache.` : ''];
}
