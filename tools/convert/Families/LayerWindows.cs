namespace Weft.Convert.Families;

/// <summary>Reads which layers see a window only.</summary>
internal static class LayerWindows
{
    /// <summary>Windows that a config switches on for layers from a number on (Qwen).</summary>
    public static Func<int, int?> Switched(ConfigFile config) =>
        config.Bool("use_sliding_window", false) ? Mixed(config, layer => layer >= config.Int("max_window_layers", 28)) : _ => null;

    /// <summary>Windows in the layers that layer_types names, or in those of a rule where it is missing.</summary>
    public static Func<int, int?> Mixed(ConfigFile config, Func<int, bool> rule, int defaultWindow = 4096)
    {
        int? window = config.IsNull("sliding_window") ? null : config.Int("sliding_window", defaultWindow);
        return layer => IsSliding(config, layer, rule) ? window : null;
    }

    /// <summary>Whether a layer sees a window only.</summary>
    public static bool IsSliding(ConfigFile config, int layer, Func<int, bool> rule)
    {
        var types = config.Strings("layer_types");
        if (layer >= types.Count)
            return rule(layer);
        return types[layer] switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            var other => throw config.Error($"'layer_types' has '{other}', which is not supported; supported are full_attention, sliding_attention"),
        };
    }
}
