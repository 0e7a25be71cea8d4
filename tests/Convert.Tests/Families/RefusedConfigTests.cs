using Weft.Convert.Families;

namespace Weft.Convert.Tests.Families;

/// <summary>Configs that ask for what the runtime would compute wrongly, or for nonsense: each is refused with a sentence naming the member.</summary>
[TestFixture]
public sealed class RefusedConfigTests
{
    private const string Base = """
        "architectures": ["LlamaForCausalLM"], "vocab_size": 320, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4
        """;

    [TestCase("\"num_hidden_layers\": -1", "num_hidden_layers")]
    [TestCase("\"num_hidden_layers\": 2000000000", "num_hidden_layers")]
    [TestCase("\"num_hidden_layers\": 1, \"partial_rotary_factor\": 0.5", "partial_rotary_factor")]
    [TestCase("\"num_hidden_layers\": 1, \"rope_parameters\": {\"partial_rotary_factor\": 0.5}", "partial_rotary_factor")]
    [TestCase("\"num_hidden_layers\": 1, \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2}", "dynamic")]
    public void A_config_that_cannot_be_honoured_is_refused(string members, string named)
    {
        var exception = Assert.Throws<WeftException>(() => Describe(members));

        Assert.That(exception!.Message, Does.Contain("config.json: ").And.Contain(named));
    }

    [Test]
    public void The_same_config_without_them_is_accepted() =>
        Assert.That(() => Describe("\"num_hidden_layers\": 1, \"partial_rotary_factor\": 1.0"), Throws.Nothing);

    private static void Describe(string members)
    {
        var folder = Directory.CreateTempSubdirectory("weft-tests-");
        try
        {
            var path = Path.Combine(folder.FullName, "config.json");
            File.WriteAllText(path, $"{{{Base}, {members}}}");
            var config = ConfigFile.Open(path);
            FamilyCatalog.Find(config).Family.Describe(config);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
