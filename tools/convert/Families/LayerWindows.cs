namespace Weft.Convert.Families;

/// <summary>Reads which layers see a window only.</summary>
internal static class LayerWindows
{
    private const string Sliding = "sliding_attention";

    /// <summary>Windows that a config switches on for layers from a number on (Qwen).</summary>
    public static Func<int, int?> Switched(ConfigFile config)
    {
        const string Switch = "use_sliding_window";
        if (config.Bool(Switch, false))
            return Mixed(config, layer => layer >= config.Int("max_window_layers", 28));
        return Types(config).Contains(Sliding) ? throw config.Error($"'layer_types' names layers of {Sliding}, but '{Switch}' is false") : _ => null;
    }

    /// <summary>Windows in the layers that layer_types names, or in those of a rule where it is missing.</summary>
    public static Func<int, int?> Mixed(ConfigFile config, Func<int, bool> rule, int defaultWindow = 4096)
    {
        int? window = config.IsNull("sliding_window") ? null : config.Int("sliding_window", defaultWindow);
        var isSliding = Slides(config, rule);
        return layer => isSliding(layer) ? window : null;
    }

    /// <summary>Which layers see a window only.</summary>
    public static Func<int, bool> Slides(ConfigFile config, Func<int, bool> rule)
    {
        var types = Types(config);
        return types.Count == 0 ? rule : layer => types[layer] == Sliding;
    }

    /// <summary>layer_types, one for each layer; empty where it is missing.</summary>
    private static IReadOnlyList<string> Types(ConfigFile config)
    {
        const string Name = "layer_types";
        if (!config.Has(Name))
            return [];
        var types = ConfigParts.OfLayers(config, Name, config.Strings(Name), ConfigParts.Layers(config, "num_hidden_layers"));
        return types.FirstOrDefault(type => type is not (Sliding or "full_attention")) is { } other
            ? throw config.Error($"'{Name}' has '{other}', which is not supported; supported are full_attention, {Sliding}")
            : types;
    }
}
