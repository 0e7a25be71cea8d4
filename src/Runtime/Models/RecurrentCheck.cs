namespace Weft.Models;

/// <summary>Says whether the numbers of blocks that carry a state make sense.</summary>
internal static class RecurrentCheck
{
    /// <summary>Finds what is wrong with how layers go together.</summary>
    /// <returns>A clause without a full stop, or null when nothing is.</returns>
    public static string? FindError(ModelDescription model)
    {
        var first = model.Layers.FirstOrDefault(layer => layer.TimeMix is { Kind: TimeMixKind.DeltaRule })?.TimeMix;
        if (first is { ValueRank: not 0 })
            return "the first time mixing by the delta rule has no values before it to go towards";
        return first is not null && model.Layers.Any(layer => layer.TimeMix is { ValueRank: > 0 } mix && mix.Width != first.Width)
            ? "time mixings whose values go towards the first one's need its width"
            : null;
    }

    /// <summary>Finds the first thing wrong with a time mixing.</summary>
    /// <returns>A clause without a full stop, or null when nothing is.</returns>
    public static string? FindError(TimeMixDescription mix)
    {
        if (mix.Width < 1)
            return "the width of time mixing must be positive";
        var isMatrix = mix.Kind != TimeMixKind.Average;
        if (isMatrix && (mix.HeadSize < 1 || mix.Width % mix.HeadSize != 0))
            return $"heads of {mix.HeadSize} do not divide a time mixing of width {mix.Width}";
        if (!isMatrix && (mix.HeadSize != 0 || mix.Norm is not null))
            return "time mixing by averages has no heads and no norm of them";
        if (isMatrix && mix.Norm is null)
            return "what the heads of time mixing give needs a norm";
        var dynamic = mix.Kind == TimeMixKind.DynamicDecay;
        var delta = mix.Kind == TimeMixKind.DeltaRule;
        (string Name, int Rank, bool IsUsed)[] ranks =
        [
            ("mix", mix.MixRank, dynamic), ("decay", mix.DecayRank, dynamic || delta), ("rate", mix.RateRank, delta), ("gate", mix.GateRank, delta),
        ];
        foreach (var (name, rank, isUsed) in ranks)
        {
            if (isUsed ? rank < 1 : rank != 0)
                return isUsed ? $"the {name} of time mixing needs a positive rank" : $"this time mixing has no {name} rank";
        }

        return mix.ValueRank < 0 || (mix.ValueRank > 0 && !delta) ? "only time mixing by the delta rule has a value rank, which is not negative" : null;
    }

    /// <summary>Finds the first thing wrong with a state space.</summary>
    /// <returns>A clause without a full stop, or null when nothing is.</returns>
    public static string? FindError(StateSpaceDescription space)
    {
        if (space.Width < 1 || space.StateSize < 1 || space.Convolution < 1)
            return "the width, state size and convolution of a state space must be positive";
        if ((long)space.Width * Math.Max(space.StateSize, space.Convolution) > int.MaxValue)
            return "the state space is too large";
        if (space.Kind == StateSpaceKind.Selective)
        {
            if (space.StepRank < 1)
                return "the steps of a selective state space need a positive rank";
            return space.Heads != 0 || space.Groups != 0 || space.Norm is not null || space.StepMin is not null || space.StepMax is not null
                ? "a selective state space has no heads, no norm and no limits of its steps"
                : null;
        }

        if (space.StepRank != 0 || space.InputNorm is not null)
            return "the steps of a dual state space have no rank, and neither they nor B and C have a norm";
        if (space.Heads < 1 || space.Width % space.Heads != 0)
            return $"{space.Heads} heads do not divide a state space of {space.Width} channels";
        if (space.Groups < 1 || space.Heads % space.Groups != 0)
            return $"{space.Heads} heads of a state space cannot share {space.Groups} groups evenly";
        if ((long)space.Groups * space.StateSize > int.MaxValue)
            return "the state space is too large";
        return space.Norm is { Bias: true }
            ? "the norm of a state space has no bias"
            : space.StepMin is { } min && space.StepMax is { } max && !(min <= max) ? "the longest step must not be shorter than the shortest" : null;
    }
}
