using System.Text;
using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Reference;

namespace Weft.Convert.Tests.ModelsPage;

/// <summary>
/// <c>docs/models.md</c> is what the code says: the catalogue of families, the blocks of their reference checkpoints, and the tests that compare them.
/// With WEFT_REWRITE=1 these tests write the page instead of comparing it.
/// </summary>
[TestFixture]
public sealed class ModelsPageTests
{
    private const string Rewrite = "WEFT_REWRITE=1 dotnet test tests/Convert.Tests -c Release --filter FullyQualifiedName~ModelsPage";

    // Spellings that one family or another has of sizes every model needs, and of blocks that all its models have, for families without a reference checkpoint.
    private const string Sizes = """
        {"n_embd": 64, "n_head": 4, "n_layer": 2, "d_model": 64, "n_heads": 4, "n_layers": 2, "num_heads": 4, "num_layers": 2, "ffn_dim": 96, "d_ff": 96,
         "encoder_attention_heads": 4, "encoder_ffn_dim": 96, "encoder_layers": 4, "decoder_attention_heads": 4, "decoder_ffn_dim": 96, "decoder_layers": 4, "decoder_start_token_id": 2,
         "num_tokens": 320, "dim": 64, "depth": 2,
         "model_dim": 64, "num_transformer_layers": 2, "num_query_heads": [4, 6], "num_kv_heads": [2, 3], "ffn_multipliers": [1.5, 2.0],
         "n_routed_experts": 4, "num_experts_per_tok": 2, "n_shared_experts": 1, "rope": true, "include_bias": false, "layer_norm_with_affine": false}
        """;

    private static readonly string Page = Path.Combine(SharedData.Repository, "docs", "models.md");

    [Test]
    public void Every_family_says_what_it_covers_and_has_a_test()
    {
        foreach (var family in FamilyCatalog.All)
        {
            Assert.That(family.Card?.Models, Is.Not.Null.And.Not.Empty, $"{family.GetType().Name} needs a Card");
            Assert.That(Proofs.OfArchitectures(family.Architectures).Count + Goldens(family).Sum(golden => Proofs.OfGolden(golden.Name).Count), Is.Positive,
                $"no test names a reference checkpoint or an architecture of {family.GetType().Name}");
        }
    }

    [Test]
    public void The_page_is_what_the_code_says()
    {
        if (SharedData.TryFind("goldens") is null)
            Assert.Ignore("the reference checkpoints, whose blocks the page names, are not on this machine");
        var text = Write();
        if (Environment.GetEnvironmentVariable("WEFT_REWRITE") == "1")
            File.WriteAllText(Page, text);
        Assert.That(File.Exists(Page) ? File.ReadAllText(Page).ReplaceLineEndings("\n") : "", Is.EqualTo(text), $"docs/models.md is out of date; rewrite it: {Rewrite}");
    }

    private static string Write()
    {
        var page = new StringBuilder();
        page.Append($"""
            # Models

            Every family that Weft converts, as the code has it: a family is one file in `tools/convert/Families`, which maps its config and tensor names onto the
            building blocks named here. *Proof* names the reference checkpoints whose logits a test compares (`../shared/goldens`), or the tests of families that have none.
            *Chat template* names the formats of released models that ship none, as `weft convert --chat-template NAME` takes them; one with a star is taken unasked
            where the checkpoint's own files say that it is of this format. A template that a checkpoint has goes before all of them.
            This page is generated: `{Rewrite}` writes it anew, and a test fails when it is out of date.


            """.ReplaceLineEndings("\n"));
        page.Append("| Family | Models | Architectures | Blocks | Tokenizer | Chat template | Proof |\n|---|---|---|---|---|---|---|\n");
        foreach (var family in FamilyCatalog.All.OrderBy(family => family.GetType().Name, StringComparer.OrdinalIgnoreCase))
        {
            var goldens = Goldens(family);
            string[] cells =
            [
                $"[{family.GetType().Name}](../tools/convert/Families/{family.GetType().Name}.cs)", family.Card?.Models ?? "", Code(family.Architectures) + (family.Gguf is { } gguf ? $"; GGUF `{gguf.Architecture}`" : ""),
                Blocks(family, goldens).ToString()!, family.Card?.Tokenizer ?? "", Templates(family), Proof(family, goldens),
            ];
            page.Append("| ").AppendJoin(" | ", cells.Select(cell => cell.Replace("|", "\\|", StringComparison.Ordinal))).Append(" |\n");
        }

        return page.ToString();
    }

    private static BlockSummary Blocks(Family family, IReadOnlyList<Golden> goldens)
    {
        var summary = new BlockSummary();
        foreach (var golden in goldens)
            summary.Add(family.Describe(golden.Config));
        if (goldens.Count > 0)
            return summary;
        var written = Path.Combine(SharedData.Repository, "tests", "Checkpoints", family.Architectures[0], "config.json");
        summary.Add(File.Exists(written) ? family.Describe(ConfigFile.Open(written)) : ConfigText.Describe(family.Architectures[0], Sizes));
        return summary;
    }

    private static string Templates(Family family) =>
        string.Join(", ", family.ChatFormats.Select(format => $"`{format.Name}`{(format.IsCertain is null ? "" : "\\*")}"));

    private static string Proof(Family family, IReadOnlyList<Golden> goldens)
    {
        var proven = goldens.Select(golden => (golden.Name, Tests: Proofs.OfGolden(golden.Name))).Where(golden => golden.Tests.Count > 0).ToList();
        return proven.Count == 0
            ? string.Join(", ", Proofs.OfArchitectures(family.Architectures))
            : $"{Code(proven.Select(golden => golden.Name))} in {string.Join(", ", proven.SelectMany(golden => golden.Tests).Distinct())}";
    }

    private static string Code(IEnumerable<string> names) => string.Join(", ", names.Select(name => $"`{name}`"));

    private static IReadOnlyList<Golden> Goldens(Family family) =>
    [
        .. from folder in SharedData.TryFind("goldens") is { } goldens ? Directory.GetDirectories(goldens) : []
           let path = Path.Combine(folder, "config.json")
           where File.Exists(path)
           orderby folder
           let config = ConfigFile.Open(path)
           where config.Strings("architectures").Any(family.Architectures.Contains) && FamilyCatalog.Find(config).Family == family
           where IsDescribed(family, config)
           select new Golden(Path.GetFileName(folder), config),
    ];

    /// <summary>A family may refuse what one of its models asks for.</summary>
    private static bool IsDescribed(Family family, ConfigFile config)
    {
        try
        {
            family.Describe(config);
            return true;
        }
        catch (WeftException)
        {
            return false;
        }
    }

    private sealed record Golden(string Name, ConfigFile Config);
}
