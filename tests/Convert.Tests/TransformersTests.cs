using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Convert.Tests;

/// <summary>Checkpoints of tests/Checkpoints, which transformers wrote, from the conversion to the logits and a greedy continuation.</summary>
[TestFixture]
public sealed class TransformersTests
{
    private const double Tolerance = 1e-5;

    [TestCase("ArceeForCausalLM")]
    [TestCase("BloomForCausalLM")]
    [TestCase("BloomForCausalLM-prefix")] // keys of virtual tokens, for a matrix where queries, keys and values of a head are together
    [TestCase("BloomForCausalLM-prompt")] // embeddings of virtual tokens, which are normed
    [TestCase("Cohere2ForCausalLM")]
    [TestCase("Cohere2ForCausalLM-prefix")] // neighbours turn: the model keeps keys in another order
    [TestCase("CwmForCausalLM")]
    [TestCase("DbrxForCausalLM")]
    [TestCase("Dots1ForCausalLM")]
    [TestCase("Ernie4_5ForCausalLM")]
    [TestCase("Exaone4ForCausalLM")]
    [TestCase("FalconForCausalLM")] // ALiBi
    [TestCase("FalconMambaForCausalLM")]
    [TestCase("Gemma3ForConditionalGeneration")] // the text model of one that reads images
    [TestCase("Glm4MoeForCausalLM")]
    [TestCase("GraniteForCausalLM")]
    [TestCase("GraniteMoeForCausalLM")]
    [TestCase("GraniteMoeSharedForCausalLM")]
    [TestCase("HeliumForCausalLM")]
    [TestCase("HunYuanDenseV1ForCausalLM")]
    [TestCase("JambaForCausalLM")] // state spaces, attention and mixtures in turn
    [TestCase("MiniMaxM2ForCausalLM")]
    [TestCase("MinistralForCausalLM")]
    [TestCase("NemotronForCausalLM")]
    [TestCase("Olmo3ForCausalLM")]
    [TestCase("OlmoeForCausalLM")]
    [TestCase("Phi3ForCausalLM")]
    [TestCase("PhimoeForCausalLM")]
    [TestCase("SeedOssForCausalLM")]
    [TestCase("SmolLM3ForCausalLM")]
    public void A_checkpoint_gives_what_transformers_computes(string architecture)
    {
        var folder = Path.Combine(SharedData.Repository, "tests", "Checkpoints", architecture);
        using var scratch = new ScratchFolder();
        Converter.Convert(new(folder, scratch["a.weft"]));
        var expected = SafetensorsReader.Read(Path.Combine(folder, "expected.safetensors"));
        var prompt = Array.ConvertAll(expected["prompt_ids"], id => (int)id);
        var generated = Array.ConvertAll(expected["generated_ids"], id => (int)id);
        using var model = Model.Load(scratch["a.weft"], new() { CacheType = DataType.Float32 });
        var logits = new float[prompt.Length * model.Header.Model.VocabularySize];
        using (var sequence = model.CreateSequence())
            sequence.Forward(prompt, LogitRows.All, logits);
        Assert.That(ErrorMeasure.RelativeRms(logits, expected["logits"]), Is.LessThan(Tolerance));

        using var engine = new Engine(model);
        Assert.That(engine.Start(prompt, new() { MaxTokens = generated.Length, IgnoreEos = true }).Wait(), Is.EqualTo(generated));
    }
}
