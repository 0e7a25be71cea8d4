namespace Weft.Cli.Tests;

/// <summary>Command lines that make no sense: exit code 2, one sentence, a hint where to look.</summary>
[TestFixture]
public sealed class UsageTests
{
    [TestCase("there is no verb 'frobnicate'", "weft --help", "frobnicate")]
    [TestCase("did you mean 'inspect'?", "weft --help", "inspct")]
    [TestCase("no option --tempratur; did you mean --temperature?", "weft run --help", "run", "m", "--tempratur", "1")]
    [TestCase("no option -x", "weft run --help", "run", "m", "-x")]
    [TestCase("'run' needs MODEL", "weft run --help", "run")]
    [TestCase("'run' needs a PROMPT", "weft run --help", "run", "m")]
    [TestCase("either the text or --file", "weft run --help", "run", "m", "p", "--file", "f")]
    [TestCase("no use for 'surplus'", "weft run --help", "run", "m", "p", "surplus")]
    [TestCase("--max-tokens needs a value", "weft run --help", "run", "m", "p", "--max-tokens")]
    [TestCase("'x' is not a value that --max-tokens takes", "weft run --help", "run", "m", "p", "--max-tokens", "x")]
    [TestCase("--max-tokens must be at least 1", "weft run --help", "run", "m", "p", "-n", "0")]
    [TestCase("--temperature must be at least 0", "weft run --help", "run", "m", "p", "-t", "-1")]
    [TestCase("--top-p must be between 0 and 1", "weft run --help", "run", "m", "p", "--top-p", "1.5")]
    [TestCase("--min-p must be between 0 and 1", "weft run --help", "run", "m", "p", "--min-p", "NaN")]
    [TestCase("--repeat-penalty must be greater than 0", "weft run --help", "run", "m", "p", "--repeat-penalty", "0")]
    [TestCase("--greedy takes no value", "weft run --help", "run", "m", "p", "--greedy=1")]
    [TestCase("--stop needs some text", "weft run --help", "run", "m", "p", "--stop", "")]
    [TestCase("--device is auto, cpu, cuda, cuda:N or sim, not 'tpu'", "weft run --help", "run", "m", "p", "--device", "tpu")]
    [TestCase("--cache is f16, bf16 or f32, not 'f8'", "weft run --help", "run", "m", "p", "--cache", "f8")]
    [TestCase("--threads must be at least 1", "weft run --help", "run", "m", "p", "--threads", "0")]
    [TestCase("'m' is not a folder with an expected.safetensors", "weft verify --help", "verify", "m")]
    [TestCase("'eval' needs --text", "weft eval --help", "eval", "m")]
    [TestCase("--repeat must be at least 1", "weft bench --help", "bench", "m", "--repeat", "0")]
    [TestCase("'bench' needs MODEL", "weft bench --help", "bench")]
    [TestCase("'bench serve' needs URL", "weft bench serve --help", "bench", "serve")]
    [TestCase("'bench serve' has no option --rat; did you mean --rate?", "weft bench serve --help", "bench", "serve", "http://h", "--rat", "1")]
    [TestCase("'bench serve' has no use for 'surplus'", "weft bench serve --help", "bench", "serve", "http://h", "surplus")]
    [TestCase("URL is http://HOST:PORT or https://HOST, with or without /v1, not 'localhost:8080'", "weft bench serve --help", "bench", "serve", "localhost:8080")]
    [TestCase("either --rate or --concurrency", "weft bench serve --help", "bench", "serve", "http://h", "--rate", "1", "--concurrency", "2")]
    [TestCase("--rate is a number of at least 0.0001, or inf, not '0'", "weft bench serve --help", "bench", "serve", "http://h", "--rate", "0")]
    [TestCase("--rate is a number of at least 0.0001, or inf, not 'NaN'", "weft bench serve --help", "bench", "serve", "http://h", "--rate", "NaN")]
    [TestCase("--concurrency must be at least 1", "weft bench serve --help", "bench", "serve", "http://h", "--concurrency", "0")]
    [TestCase("--requests must be at least 1", "weft bench serve --help", "bench", "serve", "http://h", "--requests", "0")]
    [TestCase("'x' is not a value that --requests takes", "weft bench serve --help", "bench", "serve", "http://h", "--requests", "x")]
    [TestCase("--endpoint is completions or chat, not 'embeddings'", "weft bench serve --help", "bench", "serve", "http://h", "--endpoint", "embeddings")]
    [TestCase("--prompt-tokens is a number (64), a range (32-512), normal:MEAN,DEVIATION or lognormal:MU,SIGMA, not '9-3'", "weft bench serve --help", "bench", "serve", "http://h", "--prompt-tokens", "9-3")]
    [TestCase("--output-tokens is a number (64)", "weft bench serve --help", "bench", "serve", "http://h", "--output-tokens", "0")]
    [TestCase("--shared-prefix must be between 0 and 1", "weft bench serve --help", "bench", "serve", "http://h", "--shared-prefix", "1.5")]
    [TestCase("--prefixes must be at least 1", "weft bench serve --help", "bench", "serve", "http://h", "--prefixes", "0")]
    [TestCase("--warmup must be at least 0", "weft bench serve --help", "bench", "serve", "http://h", "--warmup", "-1")]
    [TestCase("--temperature must be at least 0", "weft bench serve --help", "bench", "serve", "http://h", "--temperature", "-1")]
    [TestCase("--ignore-eos is on or off, not 'yes'", "weft bench serve --help", "bench", "serve", "http://h", "--ignore-eos", "yes")]
    [TestCase("--timeout must be greater than 0", "weft bench serve --help", "bench", "serve", "http://h", "--timeout", "0")]
    [TestCase("--duration must be greater than 0 and at most 1000000, not NaN", "weft bench serve --help", "bench", "serve", "http://h", "--duration", "NaN")]
    [TestCase("--slo is ttft=MILLISECONDS, tpot=MILLISECONDS or both with a comma between, not 'e2e=1'", "weft bench serve --help", "bench", "serve", "http://h", "--slo", "e2e=1")]
    [TestCase("there is no verb 'bench sreve'", "weft --help", "help", "bench", "sreve")]
    [TestCase("a number is expected", "weft detokenize --help", "detokenize", "m", "one")]
    public void A_wrong_command_line_exits_with_2_and_a_hint(string sentence, string hint, params string[] arguments)
    {
        var outcome = InProcess.Run(arguments);
        Assert.That(outcome.ExitCode, Is.EqualTo(2), outcome.ToString());
        Assert.That(outcome.Out, Is.Empty);
        var lines = outcome.Error.TrimEnd('\n').Split('\n');
        Assert.That(lines, Has.Length.EqualTo(2), outcome.ToString());
        Assert.That(lines[0], Does.StartWith("weft: ").And.Contain(sentence));
        Assert.That(lines[1], Does.Contain($"See '{hint}'."));
    }

    [Test]
    public void A_stop_string_does_not_swallow_the_arguments_after_it()
    {
        var outcome = InProcess.Run("run", "--stop", "END", "--stop", "-- STOP", "no-such-model", "prompt");
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.Contain("no-such-model"));
    }

    [Test]
    public void A_prompt_may_begin_with_a_dash_after_two_dashes()
    {
        var outcome = InProcess.Run("run", "--", "no-such-model", "--help");
        Assert.That(outcome.Error, Does.Contain("no-such-model"), outcome.ToString());
    }
}
