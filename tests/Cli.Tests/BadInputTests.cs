namespace Weft.Cli.Tests;

/// <summary>Bad models and files: exit code 1, one sentence that names the file, and no stack trace unless asked for.</summary>
[TestFixture]
public sealed class BadInputTests
{
    private static readonly string[] ModelVerbs = ["run", "inspect", "tokenize", "detokenize", "verify", "eval", "bench"];

    [TestCaseSource(nameof(ModelVerbs))]
    public void A_path_that_does_not_exist(string verb) => Fails(Arguments(verb, "no/such/model.weft"), "no/such/model.weft");

    [TestCaseSource(nameof(ModelVerbs))]
    public void A_folder_without_config(string verb)
    {
        var folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
        Fails(Arguments(verb, folder), folder, "config.json");
    }

    [TestCaseSource(nameof(ModelVerbs))]
    public void A_file_of_another_type(string verb)
    {
        var file = TestModels.NewPath(".txt");
        File.WriteAllText(file, string.Concat(Enumerable.Repeat("This is a text and no model. ", 500)));
        Fails(Arguments(verb, file), file);
    }

    [TestCaseSource(nameof(ModelVerbs))]
    public void An_empty_file(string verb)
    {
        var file = TestModels.NewPath(".weft");
        File.WriteAllBytes(file, []);
        Fails(Arguments(verb, file), file);
    }

    [TestCaseSource(nameof(ModelVerbs))]
    public void A_truncated_packed_file(string verb)
    {
        var bytes = File.ReadAllBytes(TestModels.Packed);
        foreach (var length in (int[])[7, 40, bytes.Length / 2, bytes.Length - 1])
            Fails(Arguments(verb, Damaged(bytes[..length])));
    }

    [TestCaseSource(nameof(ModelVerbs))]
    public void A_flipped_bit_in_the_header(string verb)
    {
        foreach (var position in (int[])[0, 9, 17, 200])
            Fails(Arguments(verb, Damaged(Flipped(position))));
    }

    [TestCase(0.3)]
    [TestCase(0.9)]
    public void A_flipped_bit_in_a_tensor_is_found_by_inspect_verify_and_names_the_tensor(double share)
    {
        var length = (int)new FileInfo(TestModels.Packed).Length;
        Fails(["inspect", Damaged(Flipped((int)(length * share))), "--verify"], "tensor");
    }

    [Test]
    public void An_intact_file_verifies()
    {
        var outcome = WeftProcess.Run("inspect", TestModels.Packed, "--verify");
        Assert.That(outcome.ExitCode, Is.Zero, outcome.ToString());
        Assert.That(outcome.Out, Does.Contain("all checksums agree"));
    }

    [Test]
    public void Control_characters_of_a_file_do_not_reach_the_terminal()
    {
        var folder = TestModels.NewPath();
        Directory.CreateDirectory(folder);
        foreach (var file in (string[])["config.json", "model.safetensors"])
            File.Copy(Path.Combine(WeftProcess.Bard, file), Path.Combine(folder, file));
        File.WriteAllText(Path.Combine(folder, "rwkv_vocab_v1.txt"), "1 \e]0;PWN\a\e[31mred 3\r\n");
        var outcome = InProcess.Run("convert", folder, "-o", TestModels.NewPath(".weft"));
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Error.TrimEnd('\n').Any(char.IsControl), Is.False, outcome.ToString());
        Assert.That(outcome.Error, Does.Contain(@"\u001b]0;PWN\u0007\u001b[31mred"));
    }

    [Test]
    public void A_missing_text_file() => Fails(["run", TestModels.Packed, "--file", "no-such-prompt.txt"], "no-such-prompt.txt");

    [Test]
    public void A_folder_as_text_file() => Fails(["eval", TestModels.Packed, "--text", TestModels.Folder], TestModels.Folder);

    [Test]
    public void A_text_that_is_not_UTF8()
    {
        var file = TestModels.NewPath(".txt");
        File.WriteAllBytes(file, [0x66, 0xff, 0xfe, 0x66]);
        Fails(["tokenize", TestModels.Packed, "--file", file], file, "UTF-8");
    }

    [Test]
    public void A_text_shorter_than_a_window()
    {
        var file = TestModels.NewPath(".txt");
        File.WriteAllText(file, "too short");
        Fails(["eval", TestModels.Packed, "--text", file], file, "256");
    }

    [Test]
    public void A_window_beyond_the_context() =>
        Fails(["eval", TestModels.Packed, "--text", Path.Combine(WeftProcess.Bard, "heldout.txt"), "--window", "257"], "256", "257");

    [Test]
    public void A_benchmark_beyond_the_context() => Fails(["bench", TestModels.Packed, "--prefill", "250", "--decode", "7"], "256");

    [Test]
    public void A_file_of_expected_values_of_another_type() =>
        Fails(["verify", TestModels.Packed, "--expected", Path.Combine(WeftProcess.Bard, "config.json")], "config.json");

    [Test]
    public void A_checkpoint_as_file_of_expected_values() =>
        Fails(["verify", TestModels.Packed, "--expected", Path.Combine(WeftProcess.Bard, "model.safetensors")], "prompt_ids");

    [Test]
    public void Verbose_shows_the_stack_trace()
    {
        var outcome = WeftProcess.Run("run", "no/such/model.weft", "prompt", "--verbose");
        Assert.That(outcome.ExitCode, Is.EqualTo(1));
        Assert.That(outcome.Error, Does.StartWith("weft: ").And.Contain("   at Weft.Cli."));
    }

    private static string[] Arguments(string verb, string model) => verb switch
    {
        "run" or "tokenize" => [verb, model, "text"],
        "detokenize" => [verb, model, "1"],
        "verify" => [verb, model, "--expected", Path.Combine(WeftProcess.Bard, "expected.safetensors")],
        "eval" => [verb, model, "--text", Path.Combine(WeftProcess.Bard, "heldout.txt")],
        _ => [verb, model],
    };

    private static byte[] Flipped(int position)
    {
        var bytes = File.ReadAllBytes(TestModels.Packed);
        bytes[position] ^= 0x10;
        return bytes;
    }

    private static string Damaged(byte[] bytes)
    {
        var path = TestModels.NewPath(".weft");
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static void Fails(string[] arguments, params string[] named)
    {
        // In process: these fail before a model runs, and there are many of them.
        var outcome = InProcess.Run(arguments);
        Assert.That(outcome.ExitCode, Is.EqualTo(1), outcome.ToString());
        Assert.That(outcome.Out, Is.Empty);
        Assert.That(outcome.Error, Does.Match(@"\Aweft: [^\n]+\n\z").And.Not.Contain("   at ").And.Not.Contain("internal error"));
        foreach (var name in (string[])[.. named, .. named.Length == 0 ? [Path.GetFileName(arguments[1])] : Array.Empty<string>()])
            Assert.That(outcome.Error, Does.Contain(name));
    }
}
