using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Reads the rotary embedding of a config in its older spelling (rope_theta beside rope_scaling, with 'type' or 'rope_type') and its
/// newer one (rope_parameters).
/// </summary>
internal static class RotaryConfig
{
    public static RotaryDescription Read(ConfigFile config, int contextLength, double defaultTheta)
    {
        var parameters = config.Object("rope_parameters") ?? config.Object("rope_scaling");
        if (parameters is not null && parameters.Double("partial_rotary_factor", 1) != 1)
            throw parameters.Error("'partial_rotary_factor' other than 1 is not supported");
        var theta = parameters is not null && parameters.Has("rope_theta") ? parameters.Double("rope_theta") : config.Double("rope_theta", defaultTheta);
        return new RotaryDescription { Theta = theta, Scaling = parameters is null ? null : ReadScaling(parameters, contextLength) };
    }

    private static RotaryScaling? ReadScaling(ConfigFile scaling, int contextLength)
    {
        switch (scaling.String("rope_type") ?? scaling.String("type"))
        {
            case null or "default":
                return null;
            case "linear":
                return new() { Kind = RotaryScalingKind.Linear, Factor = scaling.Double("factor") };
            case "llama3":
                return new()
                {
                    Kind = RotaryScalingKind.Llama3,
                    Factor = scaling.Double("factor"),
                    OriginalContextLength = scaling.Int("original_max_position_embeddings", contextLength),
                    LowFrequencyFactor = scaling.Double("low_freq_factor"),
                    HighFrequencyFactor = scaling.Double("high_freq_factor"),
                };
            case "yarn":
                if (!scaling.Bool("truncate", whenMissing: true))
                    throw scaling.Error("rotary scaling 'yarn' with 'truncate' false is not supported");
                return new()
                {
                    Kind = RotaryScalingKind.Yarn,
                    Factor = scaling.Double("factor"),
                    OriginalContextLength = scaling.Int("original_max_position_embeddings", contextLength),
                    BetaFast = scaling.Double("beta_fast", 32),
                    BetaSlow = scaling.Double("beta_slow", 1),
                    AttentionFactor = AttentionFactor(scaling),
                };
            case var other:
                throw scaling.Error($"the rotary scaling '{other}' is not supported; supported are linear, llama3, yarn");
        }
    }

    /// <summary>
    /// The factor on cosine and sine, 0.1·ln(factor) + 1 (arXiv 2309.00071, eq. 22), unless the config gives it or the two scales whose
    /// ratio it is (DeepSeek).
    /// </summary>
    private static double AttentionFactor(ConfigFile scaling)
    {
        if (scaling.Has("attention_factor"))
            return scaling.Double("attention_factor");
        var factor = scaling.Double("factor");
        double Scale(double m) => factor <= 1 ? 1 : (0.1 * m * Math.Log(factor)) + 1;
        var (m, all) = (scaling.Double("mscale", 0), scaling.Double("mscale_all_dim", 0));
        return m != 0 && all != 0 ? Scale(m) / Scale(all) : Scale(1);
    }
}
