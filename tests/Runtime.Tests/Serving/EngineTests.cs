using Weft.Reference;
using Weft.Sampling;
using Weft.Scheduling;

namespace Weft.Runtime.Tests.Serving;

/// <summary>The engine's promises, on a device that computes at once and can be told to fail or to wait.</summary>
[TestFixture]
public sealed class EngineTests
{
    private const int Vocabulary = 1000;

    [Test]
    public void Every_generation_gets_its_own_tokens([Values] bool runsAhead, [Values(20, 400)] int blocks)
    {
        using var engine = new Engine(new StubProgram(Vocabulary, 64, 16, 20, runsAhead).ForEngine(blocks, 320));
        var random = new Random(5);
        var prompts = Enumerable.Range(0, 200).Select(i => Prompt(random, random.Next(1, 120))).ToList();
        var generations = prompts.ConvertAll(prompt => engine.Start(prompt, new() { MaxTokens = 1 + (prompt.Length % 60) }));
        foreach (var (prompt, generation) in prompts.Zip(generations))
        {
            Assert.That(generation.Wait(), Is.EqualTo(Expected(prompt, 1 + (prompt.Length % 60))));
            Assert.That(generation.FinishReason, Is.EqualTo(FinishReason.Length));
        }

        CheckEmpty(engine);
        if (blocks == 20)
            Assert.That(engine.Statistics.Preemptions, Is.Positive);
    }

    [Test]
    public void A_prompt_that_was_seen_before_is_found_in_the_cache()
    {
        using var engine = new Engine(new StubProgram(Vocabulary).ForEngine(100, 320));
        var prompt = Prompt(new(1), 100);
        using var first = engine.Start(prompt, new() { MaxTokens = 30 });
        var answer = first.Wait();
        using var second = engine.Start([.. prompt, .. answer, 7, 8, 9], new() { MaxTokens = 3 });
        Assert.That(second.Wait(), Is.EqualTo(Expected([.. prompt, .. answer, 7, 8, 9], 3)));
        // Of the 130 tokens the last was drawn and never computed: eight whole blocks.
        Assert.That((first.CachedTokens, second.CachedTokens), Is.EqualTo((0, 128)));
    }

    [Test]
    public void A_cancelled_generation_takes_part_in_no_further_step([Values] bool runsAhead)
    {
        using var gate = new SemaphoreSlim(0);
        var program = new StubProgram(Vocabulary, 64, 2, 20, runsAhead) { OnStep = _ => gate.Wait() };
        using var engine = new Engine(program.ForEngine(60, 320));
        using var decoding = engine.Start([5], new() { MaxTokens = 200 });
        using var prefilling = engine.Start(Prompt(new(1), 300), new() { MaxTokens = 5 });
        using var queued = engine.Start([6], new() { MaxTokens = 200 });
        gate.Release(3); // the prompt of 300 needs five steps
        Assert.That(decoding.Outputs.ReadAllAsync().ToBlockingEnumerable().First().Token, Is.EqualTo(Expected([5], 1)[0]));
        queued.Cancel();
        prefilling.Cancel();
        decoding.Cancel();
        gate.Release(2); // a step that waits in the device, and with steps ahead the one after it
        Assert.That((queued.Wait().Count, prefilling.Wait().Count), Is.EqualTo((0, 0)));
        Assert.That(decoding.Wait(), Has.Count.LessThan(5));
        Assert.That(new[] { queued, prefilling, decoding }.Select(g => g.FinishReason), Is.All.EqualTo(FinishReason.Cancelled));
        CheckEmpty(engine);
        gate.Release(1000);
    }

    [Test]
    public void A_token_that_is_cancelled_before_the_start_cancels()
    {
        using var engine = new Engine(new StubProgram(Vocabulary).ForEngine(60, 320));
        using var generation = engine.Start([5], new() { MaxTokens = 200 }, new CancellationToken(true));
        Assert.That(generation.Wait(), Is.Empty);
        Assert.That(generation.FinishReason, Is.EqualTo(FinishReason.Cancelled));
        CheckEmpty(engine);
    }

    [Test]
    public void A_request_whose_time_is_up_is_given_up()
    {
        using var gate = new SemaphoreSlim(0);
        using var engine = new Engine(new StubProgram(Vocabulary, maxSequences: 1) { OnStep = _ => gate.Wait(20) }.ForEngine(60, 1000));
        using var running = engine.Start([5], new() { MaxTokens = 900, Timeout = TimeSpan.FromMilliseconds(200) });
        using var queued = engine.Start([5], new() { MaxTokens = 900, Timeout = TimeSpan.FromMilliseconds(100) });
        Assert.That(() => running.Wait(), Throws.TypeOf<EngineException>().With.Property("Fault").EqualTo(EngineFault.Timeout));
        Assert.That(() => queued.Wait(), Throws.TypeOf<EngineException>().With.Property("Fault").EqualTo(EngineFault.Timeout));
        Assert.That(running.GeneratedTokens, Is.InRange(1, 20));
        CheckEmpty(engine);
    }

    [Test]
    public void One_request_more_than_may_wait_is_refused_and_harms_none()
    {
        using var gate = new SemaphoreSlim(0);
        using var engine = new Engine(new StubProgram(Vocabulary, maxSequences: 1) { OnStep = _ => gate.Wait() }.ForEngine(60, 320), new() { MaxWaiting = 2 });
        using var running = engine.Start([5], new() { MaxTokens = 3 });
        Assert.That(() => engine.Statistics.Waiting, Is.Zero.After(2000, 1));
        using var first = engine.Start([6], new() { MaxTokens = 3 });
        using var second = engine.Start([7], new() { MaxTokens = 3 });
        Assert.That(() => engine.Start([8], new()), Throws.TypeOf<EngineException>().With.Property("Fault").EqualTo(EngineFault.QueueFull));
        gate.Release(100);
        Assert.That(new[] { running, first, second }.Select(g => g.Wait().Count), Is.All.EqualTo(3));
        Assert.That(engine.Statistics.Waiting, Is.Zero);
    }

    [Test]
    public void A_request_that_waits_holds_its_prompt_and_little_more()
    {
        const int Waiting = 100;
        using var gate = new SemaphoreSlim(0);
        using var engine = new Engine(new StubProgram(150_000, 64, 1, 20) { OnStep = _ => gate.Wait() }.ForEngine(60, 320));
        using var running = engine.Start([5], new() { MaxTokens = 3 });
        // What takes most: penalties count every token of the vocabulary, log-probabilities keep a row of logits.
        GenerationOptions options = new() { MaxTokens = 3, TopLogProbabilities = 2, Sampling = new() { Temperature = 1, RepetitionPenalty = 1.1f } };
        Assert.That(() => engine.Statistics.Waiting, Is.Zero.After(2000, 1));
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var generations = Enumerable.Range(0, Waiting).Select(_ => engine.Start(new int[200], options)).ToList();
        var bytes = (GC.GetTotalMemory(forceFullCollection: true) - before) / Waiting;
        gate.Release(1000);
        TestContext.Out.WriteLine($"{bytes} bytes a request");
        Assert.That(bytes, Is.LessThan(10_000));
        Assert.That(generations.Select(generation => generation.Wait().Count), Is.All.EqualTo(3));
    }

    [Test]
    public void A_step_that_one_request_breaks_harms_nobody_else([Values] bool runsAhead, [Values(20, 200)] int blocks)
    {
        const int Poison = 1; // never drawn
        var program = new StubProgram(Vocabulary, 64, 16, 20, runsAhead)
        {
            OnStep = batch =>
            {
                if (batch.TokenIds.AsSpan(0, batch.TokenCount).Contains(Poison))
                    throw new InvalidOperationException("poison");
            },
        };
        using var engine = new Engine(program.ForEngine(blocks, 320));
        var random = new Random(3);
        var prompts = Enumerable.Range(0, 30).Select(i => i % 10 == 7 ? [4, 5, Poison, 6] : Prompt(random, 40)).ToList();
        var generations = prompts.ConvertAll(prompt => engine.Start(prompt, new() { MaxTokens = 50 }));
        for (var i = 0; i < prompts.Count; i++)
        {
            if (prompts[i].Contains(Poison))
                Assert.That(() => generations[i].Wait(), Throws.TypeOf<EngineException>().With.Message.Contains("poison"), $"{i}");
            else
                Assert.That(generations[i].Wait(), Is.EqualTo(Expected(prompts[i], 50)), $"{i}");
        }

        CheckEmpty(engine);
        Assert.That(engine.Failure, Is.Null);
    }

    [Test]
    public void A_failed_step_changes_no_seeded_draw([Values] bool runsAhead)
    {
        List<IReadOnlyList<int>> Draw(int failing)
        {
            // A step of one request that fails is that request's failure: no step ends before both are there.
            using var both = new ManualResetEventSlim();
            var steps = 0;
            var program = new StubProgram(Vocabulary, 64, 16, 20, runsAhead)
            {
                OnStep = _ =>
                {
                    both.Wait();
                    if (++steps == failing)
                        throw new InvalidOperationException("once");
                },
            };
            using var engine = new Engine(program.ForEngine(200, 320));
            // Drawn on the host, where the stub has logits.
            var generations = Enumerable.Range(0, 2).Select(i => engine.Start([5, 6, i], new()
            {
                MaxTokens = 40,
                TopLogProbabilities = 0,
                IgnoreEos = true,
                Sampling = new() { Temperature = 2, Seed = 7, RepetitionPenalty = 1.3f, FrequencyPenalty = 0.5f },
            })).ToList();
            both.Set();
            return generations.ConvertAll(generation => generation.Wait());
        }

        Assert.That(Draw(10), Is.EqualTo(Draw(-1)));
    }

    [Test]
    public void A_device_that_only_fails_is_given_up_with_its_reason()
    {
        using var engine = new Engine(new StubProgram(Vocabulary) { OnStep = _ => throw new WeftException("the device is gone") }.ForEngine(60, 320));
        var generations = Enumerable.Range(0, 40).Select(i => engine.Start([5], new())).ToList();
        foreach (var generation in generations)
            Assert.That(() => generation.Wait(), Throws.TypeOf<EngineException>().With.Message.Contains("the device is gone"));
        Assert.That(engine.Failure, Is.Not.Null);
        Assert.That(() => engine.Start([5], new()), Throws.TypeOf<EngineException>().With.Message.Contains("the device is gone"));
        CheckEmpty(engine);
    }

    [Test]
    public void A_device_that_fails_while_a_failure_is_cleared_up_ends_every_generation([Values] bool inStep)
    {
        // A generation's end fails, and so does whatever follows from that; or a step does, and clearing up after it.
        using var gate = new SemaphoreSlim(0);
        var program = new StubProgram(Vocabulary, maxSequences: 4)
        {
            OnStep = _ =>
            {
                gate.Wait();
                if (inStep)
                    throw new WeftException("the step stumbled");
            },
            OnForget = _ => throw new InvalidOperationException("the device is gone"),
        };
        using var engine = new Engine(program.ForEngine(60, 320));
        var generations = Enumerable.Range(0, 40).Select(i => engine.Start([5], new() { MaxTokens = i == 0 ? 2 : 50 })).ToList();
        gate.Release(1000);
        if (!inStep)
            Assert.That(generations[0].Wait(), Is.EqualTo(Expected([5], 2)), "its tokens were drawn");
        foreach (var generation in generations.Skip(inStep ? 0 : 1))
            Assert.That(() => generation.Wait(), Throws.TypeOf<EngineException>().With.Message.Contains("the device is gone"));
        Assert.That(engine.Failure, Is.Not.Null);
        Assert.That(engine.Statistics, Has.Property("Running").Zero.And.Property("Waiting").Zero);
    }

    [Test]
    public async Task Closing_finishes_what_was_begun_and_refuses_what_is_new()
    {
        using var gate = new SemaphoreSlim(0);
        using var engine = new Engine(new StubProgram(Vocabulary, maxSequences: 1) { OnStep = _ => gate.Wait() }.ForEngine(60, 320));
        var generations = Enumerable.Range(0, 3).Select(i => engine.Start([5], new() { MaxTokens = 4 })).ToList();
        var closing = engine.CloseAsync(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(20));
        Assert.That(() => engine.Start([5], new()), Throws.TypeOf<EngineException>().With.Property("Fault").EqualTo(EngineFault.Closed));
        gate.Release(1000);
        await closing;
        Assert.That(generations.Select(g => g.Wait().Count), Is.All.EqualTo(4));
    }

    [Test]
    public async Task Closing_ends_what_outlasts_its_patience_with_an_error()
    {
        var program = new StubProgram(Vocabulary) { OnStep = _ => Thread.Sleep(5) };
        using var engine = new Engine(program.ForEngine(400, 6000));
        using var generation = engine.Start([5], new() { MaxTokens = 5000 });
        await engine.CloseAsync(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(20));
        Assert.That(() => generation.Wait(), Throws.TypeOf<EngineException>().With.Property("Fault").EqualTo(EngineFault.Closed));
        Assert.That(generation.GeneratedTokens, Is.InRange(1, 200));
    }

    [Test]
    public void A_bias_a_least_length_and_stop_tokens_steer_what_is_drawn()
    {
        using var engine = new Engine(new StubProgram(Vocabulary).ForEngine(60, 320));
        var expected = Expected([5], 10);
        using var stopped = engine.Start([5], new() { MaxTokens = 10, StopTokens = [expected[3]] });
        Assert.That(stopped.Wait(), Is.EqualTo(expected[..3]));
        Assert.That((stopped.FinishReason, stopped.GeneratedTokens), Is.EqualTo((FinishReason.Stop, 4)));
        // The stub's logits are 5 for the next token and 0 for the others, of which the first is taken when it is forbidden.
        using var forced = engine.Start([5], new() { MaxTokens = 10, MinTokens = 5, StopTokens = [expected[3]] });
        Assert.That(forced.Wait().Take(4), Is.EqualTo(new[] { expected[0], expected[1], expected[2], 0 }));
        using var biased = engine.Start([5], new() { MaxTokens = 2, Sampling = new() { LogitBias = new Dictionary<int, float> { [77] = 6 } } });
        Assert.That(biased.Wait(), Is.EqualTo(new[] { 77, 77 }));
    }

    [Test]
    public void Log_probabilities_are_those_of_the_logits([Values] bool runsAhead)
    {
        using var engine = new Engine(new StubProgram(Vocabulary, 64, 16, 20, runsAhead).ForEngine(60, 320));
        var prompt = Expected([5], 100).Prepend(5).ToArray();
        using var generation = engine.Start(prompt, new() { MaxTokens = 3, TopLogProbabilities = 2, PromptLogProbabilities = true });
        using var other = engine.Start([6], new() { MaxTokens = 20 });
        var outputs = generation.Outputs.ReadAllAsync().ToBlockingEnumerable().ToList();
        var normalizer = Math.Log(Math.Exp(5) + Vocabulary - 1);
        Assert.That(outputs, Has.Count.EqualTo(3));
        foreach (var output in outputs)
        {
            Assert.That(output.LogProbabilities!.Chosen.Token, Is.EqualTo(output.Token));
            Assert.That(output.LogProbabilities.Chosen.Value, Is.EqualTo(5 - normalizer).Within(1e-5));
            Assert.That(output.LogProbabilities.Top, Is.EqualTo(new[] { output.LogProbabilities.Chosen, new LogProbability(0, (float)-normalizer) }));
        }

        Assert.That(generation.PromptLogProbabilities.Select(score => score.Chosen.Token), Is.EqualTo(prompt[1..]));
        Assert.That(generation.PromptLogProbabilities.Select(score => score.Chosen.Value), Is.All.EqualTo(5 - normalizer).Within(1e-5));
        Assert.That(other.Wait(), Is.EqualTo(Expected([6], 20)));
    }

    [TestCaseSource(nameof(BadRequests))]
    public void What_is_out_of_range_is_refused_by_name(string option, int[] prompt, GenerationOptions options)
    {
        using var engine = new Engine(new StubProgram(Vocabulary).ForEngine(60, 320));
        Assert.That(() => engine.Start(prompt, options), Throws.TypeOf<OptionException>().With.Property("Option").EqualTo(option));
        Assert.That(engine.Statistics.Waiting, Is.Zero);
    }

    private static IEnumerable<TestCaseData> BadRequests()
    {
        TestCaseData Case(string option, GenerationOptions options, params int[] prompt) => new(option, prompt, options);
        yield return Case("prompt", new());
        yield return Case("prompt", new(), new int[320]);
        yield return Case("prompt", new(), 5, 1000);
        yield return Case("prompt", new(), -1);
        yield return Case("max_tokens", new() { MaxTokens = 0 }, 1);
        yield return Case("min_tokens", new() { MinTokens = 9, MaxTokens = 8 }, 1);
        yield return Case("top_logprobs", new() { TopLogProbabilities = 21 }, 1);
        yield return Case("top_logprobs", new() { PromptLogProbabilities = true }, 1);
        yield return Case("temperature", new() { Sampling = new() { Temperature = -1 } }, 1);
        yield return Case("logit_bias", new() { Sampling = new() { LogitBias = new Dictionary<int, float> { [1000] = 1 } } }, 1);
        yield return Case("logit_bias", new() { Sampling = new() { LogitBias = new Dictionary<int, float> { [1] = 101 } } }, 1);
        yield return Case("stop_token_ids", new() { StopTokens = [-1] }, 1);
        yield return Case("timeout", new() { Timeout = TimeSpan.Zero }, 1);
        yield return Case("priority", new() { Priority = 1001 }, 1);
    }

    private static int[] Prompt(Random random, int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(3, 990))];

    private static int[] Expected(int[] prompt, int count)
    {
        var (tokens, last) = (new List<int>(), prompt[^1]);
        for (var position = prompt.Length - 1; tokens.Count < count; position++)
            tokens.Add(last = StubProgram.Next(last, position, Vocabulary));
        return [.. tokens];
    }

    private static void CheckEmpty(Engine engine) =>
        Assert.That(() => engine.Statistics is { Running: 0, Waiting: 0, UsedBlocks: 0 }, Is.True.After(2000, 1));
}
