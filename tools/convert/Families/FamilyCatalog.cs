namespace Weft.Convert.Families;

/// <summary>All families, and the choice among them.</summary>
internal static class FamilyCatalog
{
    private static readonly Family[] Families =
    [
        new Llama(), new Mistral(), new Qwen(), new Qwen2(), new Qwen3(), new InternLm(), new InternLm2(), new Yi(), new Baichuan(), new DeciLm(),
        new Gemma(), new Gemma2(), new Gemma3(), new Phi3(), new StableLm(), new Persimmon(), new Olmo(), new Olmo2(), new Cohere(), new Glm4(),
        new OpenAiGpt(), new Gpt2(), new GptNeo(), new GptJ(), new GptNeoX(), new CodeGen(), new GptBigCode(), new Starcoder2(),
        new Mixtral(), new Qwen2Moe(), new Qwen3Moe(), new DeepSeekV2(), new GptOss(), new Opt(), new Bloom(), new Mpt(), new Falcon(), new Xglm(), new Phi(),
    ];

    /// <summary>Every supported architecture name, in alphabetical order.</summary>
    public static IReadOnlyList<string> Architectures { get; } =
        [.. Families.SelectMany(family => family.Architectures).Order(StringComparer.OrdinalIgnoreCase)];

    /// <summary>The family of a checkpoint and its architecture's name.</summary>
    /// <exception cref="WeftException">The config names none, or an unknown one.</exception>
    public static (Family Family, string Architecture) Find(ConfigFile config)
    {
        var names = config.Strings("architectures");
        foreach (var name in names)
        {
            if (Families.FirstOrDefault(family => family.Architectures.Contains(name)) is { } family)
                return (family, name);
        }

        if (names.Count == 0)
            throw config.Error("there is no 'architectures', so the model's family is unknown");
        throw config.Error(
            $"the architecture '{names[0]}' is not supported; the nearest supported ones are {string.Join(", ", Nearest(names[0]))}");
    }

    private static IEnumerable<string> Nearest(string name) =>
        Architectures.OrderBy(known => Spelling.Distance(name, known)).ThenBy(known => known, StringComparer.Ordinal).Take(3);
}
