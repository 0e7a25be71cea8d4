using Weft.Backends.Cpu.Operations;
using Weft.Graph;

namespace Weft.Backends.Cpu;

/// <content>Operations of blocks that carry a state from token to token.</content>
internal sealed unsafe partial class CpuProgram<TSimd, TVector, TCache>
{
    private Operation BindRecurrent(RecurrentNode node) => node switch
    {
        TokenShiftNode n => new TokenShiftOperation(context, n, Address(n.X), Address(n.Y)),
        MixNode n => new MixOperation(context, n, Vector(n.Weight), Address(n.X), Address(n.Delta), n.Adjustment is { } adjustment ? Address(adjustment) : null, Address(n.Y)),
        LerpNode n => new LerpOperation(context, n, Address(n.X), Address(n.Other), Address(n.Amount), Address(n.Y)),
        AverageNode n => new AverageOperation<TSimd, TVector>(context, n, Vector(n.Decay), Vector(n.First), Address(n.K), Address(n.V), Address(n.Y)),
        DecayNode n => new DecayOperation<TSimd, TVector>(
            context, n, n.Decay is { } decay ? Vector(decay) : null, n.D is { } d ? Address(d) : null, Vector(n.First), Address(n.R), Address(n.K), Address(n.V), Address(n.Y)),
        DeltaRuleNode n => new DeltaRuleOperation<TSimd, TVector>(
            context, n, Vector(n.KeyScale), Vector(n.KeyRate), Address(n.R), Address(n.D), Address(n.K), Address(n.V), Address(n.A), Address(n.Y)),
        BonusNode n => new BonusOperation(
            context, n, Vector(n.KeyRate), Vector(n.First), Address(n.R), Address(n.K), Address(n.V), Address(n.A), Address(n.Gate), Address(n.X), Address(n.Y)),
        ConvolutionNode n => new ConvolutionOperation<TSimd, TVector>(context, n, Vector(n.Weight), n.Bias is { } bias ? Vector(bias) : null, Address(n.X), Address(n.Y)),
        ScanNode n => new ScanOperation<TSimd, TVector>(context, n, Rates(n.Decay), Vector(n.Skip), Address(n.X), Address(n.Step), Address(n.B), Address(n.C), Address(n.Y)),
        _ => throw new NotSupportedException($"the CPU backend has no kernel for a {node.GetType().Name}"),
    };

    /// <summary>−e^decay, once for all steps.</summary>
    private float* Rates(string decay) =>
        Constants(Array.ConvertAll(new ReadOnlySpan<float>(Vector(decay), file.Find(decay).Shape[0]).ToArray(), x => -MathF.Exp(x)));
}
