using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Weft.Convert.Checkpoints;

namespace Weft.Convert.Families;

/// <summary>
/// The text model inside one that reads images too, as transformers stores both: the text model's config is an object of the whole's, and its tensors are named after the part. The parts
/// that read images are left out.
/// </summary>
internal static partial class TextPart
{
    private const string Member = "text_config";

    /// <summary>Whether a config is of a model of several parts.</summary>
    public static bool IsIn(ConfigFile config) => config.Json(Member) is { ValueKind: JsonValueKind.Object };

    /// <summary>The config of the text model, with what the whole says of itself and of special tokens; a config of one part as it is.</summary>
    public static ConfigFile Unwrap(ConfigFile config) => !IsIn(config) ? config : config.With(config.Json(Member)!.Value.EnumerateObject()
        .Where(member => !config.Has(member.Name) || !OfTheWhole().IsMatch(member.Name))
        .Select(member => (member.Name, JsonNode.Parse(member.Value.GetRawText()))));

    /// <summary>The text model's tensors, by the names that they have in a checkpoint of it alone.</summary>
    public static Checkpoint Unwrap(Checkpoint checkpoint) => new(
        checkpoint.Tensors.Values.Where(tensor => !Images().IsMatch(tensor.Name)).Select(tensor => tensor with { Name = NameAlone(tensor.Name) }).ToDictionary(tensor => tensor.Name), checkpoint.Files)
    {
        LeftOut = [.. checkpoint.Tensors.Keys.Select(name => Images().Match(name)).Where(match => match.Success).Select(match => match.Groups["part"].Value).Distinct().Order(StringComparer.Ordinal)],
    };

    private static string NameAlone(string name) => TextModel().Replace(name, match => match.Value == "language_model." ? "" : "model.");

    [GeneratedRegex("^(architectures|model_type|(bos|eos|pad)_token_id)$")]
    private static partial Regex OfTheWhole();

    // Before and since transformers 4.52.
    [GeneratedRegex(@"^(language_model\.(model\.)?|model\.language_model\.)")]
    private static partial Regex TextModel();

    [GeneratedRegex(@"^(model\.)?(?<part>vision_tower|multi_modal_projector)\.")]
    private static partial Regex Images();
}
