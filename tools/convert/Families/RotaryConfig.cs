using System.Text.Json;
using Weft.Models;

namespace Weft.Convert.Families;

/// <summary>
/// Reads the rotary embedding of a config in its older spelling (rope_theta beside rope_scaling, with 'type' or 'rope_type') and its
/// newer one (rope_parameters).
/// </summary>
internal static class RotaryConfig
{
    /// <summary>Reads base and scaling; how much of a head turns is <see cref="TurnedSize"/>'s.</summary>
    /// <param name="config">The whole config.</param>
    /// <param name="contextLength">Length that scaling starts from where it does not say.</param>
    /// <param name="defaultTheta">rope_theta when it is missing.</param>
    public static RotaryDescription Read(ConfigFile config, int contextLength, double defaultTheta) =>
        Of(config, Parameters(config), contextLength, config.Double("rope_theta", defaultTheta));

    /// <summary>The same of an object that holds everything itself.</summary>
    public static RotaryDescription Of(ConfigFile config, ConfigFile? parameters, int contextLength, double defaultTheta) => new()
    {
        Theta = parameters?.Double("rope_theta", defaultTheta) ?? defaultTheta,
        Scaling = parameters is null ? null : ReadScaling(config, parameters, contextLength),
    };

    /// <summary>How many of a head's dimensions turn; null for all of them.</summary>
    /// <param name="config">The whole config.</param>
    /// <param name="headSize">D.</param>
    /// <param name="defaultPart">partial_rotary_factor when it is missing; null where there must be none but 1.</param>
    public static int? TurnedSize(ConfigFile config, int headSize, double? defaultPart)
    {
        var holder = Parameters(config) is { } parameters && parameters.Has("partial_rotary_factor") ? parameters : config;
        var part = holder.Double("partial_rotary_factor", defaultPart ?? 1);
        if (part == 1)
            return null;
        return defaultPart is null ? throw holder.Error("'partial_rotary_factor' other than 1 is not supported") : (int)(headSize * part);
    }

    /// <summary>Reads the rotary embedding of a family that turns a part of each head.</summary>
    /// <param name="config">The config.</param>
    /// <param name="contextLength">Longest sequence.</param>
    /// <param name="headSize">D.</param>
    /// <param name="defaultPart">Part of a head that turns when the config does not say.</param>
    /// <param name="partName">The family's older name for that part.</param>
    /// <param name="thetaName">The family's older name for the base.</param>
    public static RotaryDescription ReadPartial(
        ConfigFile config, int contextLength, int headSize, double defaultPart, string partName = "partial_rotary_factor", string thetaName = "rope_theta")
    {
        const double DefaultTheta = 10000;
        var parameters = Parameters(config);
        double Member(string name, string older, double whenMissing) =>
            parameters is not null && parameters.Has(name) ? parameters.Double(name) : config.Double(ConfigParts.Spelling(config, older, name), whenMissing);
        return new()
        {
            Size = (int)(headSize * Member("partial_rotary_factor", partName, defaultPart)),
            Theta = Member("rope_theta", thetaName, DefaultTheta),
            Scaling = parameters is null ? null : ReadScaling(config, parameters, contextLength),
        };
    }

    /// <summary>The object that holds base and scaling, under either of its names.</summary>
    /// <exception cref="WeftException">Both are there and say different things.</exception>
    public static ConfigFile? Parameters(ConfigFile config)
    {
        const string Newer = "rope_parameters";
        const string Older = "rope_scaling";
        return config.Json(Newer) is { } newer && config.Json(Older) is { } older && !JsonElement.DeepEquals(newer, older)
            ? throw config.Error($"'{Newer}' and '{Older}' are both there and say different things; remove one")
            : config.Object(Newer) ?? config.Object(Older);
    }

    /// <summary>Which scaling it asks for.</summary>
    public static string? Kind(ConfigFile scaling) => scaling.String("rope_type") ?? scaling.String("type");

    /// <summary>LongRoPE as such; families have further names for it.</summary>
    /// <param name="config">The whole config.</param>
    /// <param name="scaling">The object that holds its lists.</param>
    /// <param name="contextLength">Longest sequence.</param>
    /// <param name="defaultOriginal">Length of the original context where nothing says it.</param>
    public static RotaryScaling LongRope(ConfigFile config, ConfigFile scaling, int contextLength, int defaultOriginal)
    {
        var original = scaling.Int("original_max_position_embeddings", config.Int("original_max_position_embeddings", defaultOriginal));
        var factor = scaling.Double("factor", (double)contextLength / original);
        return new()
        {
            Kind = RotaryScalingKind.LongRope,
            Factor = factor,
            OriginalContextLength = original,
            AttentionFactor = scaling.Double("attention_factor", factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(original)))),
            Divisors = scaling.Doubles("short_factor"),
            LongDivisors = contextLength > original ? scaling.Doubles("long_factor") : null,
        };
    }

    private static RotaryScaling? ReadScaling(ConfigFile config, ConfigFile scaling, int contextLength)
    {
        switch (Kind(scaling))
        {
            case null when scaling.Has("factor"):
                throw scaling.Error($"the rotary scaling has a factor, {scaling.Double("factor")}, but no 'rope_type' that says which scaling it is of");
            case null or "default":
                return null;
            case "linear":
                return new() { Kind = RotaryScalingKind.Linear, Factor = scaling.Double("factor") };
            case "dynamic":
                return new()
                {
                    Kind = RotaryScalingKind.Dynamic,
                    Factor = scaling.Double("factor"),
                    OriginalContextLength = scaling.Int("original_max_position_embeddings", contextLength),
                };
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
                return new()
                {
                    Kind = RotaryScalingKind.Yarn,
                    Factor = scaling.Double("factor"),
                    OriginalContextLength = scaling.Int("original_max_position_embeddings", contextLength),
                    BetaFast = scaling.Double("beta_fast", 32),
                    BetaSlow = scaling.Double("beta_slow", 1),
                    Unrounded = !scaling.Bool("truncate", whenMissing: true),
                    AttentionFactor = AttentionFactor(scaling),
                };
            case "longrope":
                return LongRope(config, scaling, contextLength, contextLength);
            case var other:
                throw scaling.Error($"the rotary scaling '{other}' is not supported; supported are linear, dynamic, llama3, yarn, longrope");
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
