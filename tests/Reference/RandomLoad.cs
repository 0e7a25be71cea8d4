namespace Weft.Reference;

/// <summary>Random requests for an engine: prompts that share beginnings, greedy and sampled, some given up on the way.</summary>
public static class RandomLoad
{
    /// <summary>
    /// Runs every request alone, then all together in a random order with requests among them that are cancelled; gives what each drew both times.
    /// </summary>
    /// <param name="engine">An engine whose cache is too small for all of them, so that some give way.</param>
    /// <param name="vocabulary">V.</param>
    /// <param name="longest">Most tokens of a prompt with what it draws.</param>
    /// <param name="requests">How many.</param>
    /// <param name="seed">Of the choice.</param>
    public static IReadOnlyList<(IReadOnlyList<int> Alone, IReadOnlyList<int> Together)> Run(Engine engine, int vocabulary, int longest, int requests, int seed)
    {
        ArgumentNullException.ThrowIfNull(engine);
        var random = new Random(seed);
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(vocabulary))];
        var systems = new[] { Tokens(longest / 4), Tokens(longest / 3), [] };
        var all = Enumerable.Range(0, requests).Select(i =>
        {
            int[] prompt = [.. systems[random.Next(systems.Length)], .. Tokens(random.Next(1, longest / 4))];
            var options = new GenerationOptions
            {
                MaxTokens = random.Next(1, longest - prompt.Length),
                IgnoreEos = true,
                Sampling = random.Next(3) == 0 ? new() { Temperature = 0.8f, TopP = 0.95f, RepetitionPenalty = 1.1f, Seed = (ulong)i } : new(),
                TopLogProbabilities = random.Next(6) == 0 ? 1 : null,
            };
            return (Prompt: prompt, Options: options);
        }).ToList();
        var alone = all.ConvertAll(request =>
        {
            using var generation = engine.Start(request.Prompt, request.Options);
            return generation.Wait();
        });
        var order = Enumerable.Range(0, requests).ToArray();
        random.Shuffle(order);
        var together = new Generation[requests];
        foreach (var i in order)
        {
            together[i] = engine.Start(all[i].Prompt, all[i].Options);
            var other = engine.Start(Tokens(random.Next(1, longest / 2)), new() { MaxTokens = longest / 3, IgnoreEos = true });
            if (random.Next(2) == 0)
                Thread.Sleep(random.Next(4));
            other.Cancel();
        }

        return [.. alone.Zip(together, (tokens, generation) => (tokens, generation.Wait()))];
    }
}
