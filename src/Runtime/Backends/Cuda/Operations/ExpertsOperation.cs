using Weft.Backends.Cuda.Kernels;
using Weft.Graph;
using Weft.Models;

namespace Weft.Backends.Cuda.Operations;

/// <summary>
/// <see cref="ExpertsNode"/>: chooses experts, sorts the tokens' assignments by expert, multiplies tiles of each expert's assignments with its matrices, and adds up
/// what they give. The host learns nothing of what is chosen: launches depend on the number of tokens alone.
/// </summary>
internal sealed class ExpertsOperation : CudaOperation
{
    private readonly ExpertsNode node;
    private readonly ExpertsDescription experts;
    private readonly FeedForwardDescription block;
    private readonly ExpertProduct inner;
    private readonly ExpertProduct outer;
    private readonly nuint selectionBias;

    /// <param name="context">Of the program.</param>
    /// <param name="node">With scratch values.</param>
    /// <param name="inner">Gate and up, or up.</param>
    /// <param name="outer">Down.</param>
    /// <param name="selectionBias">[E], or 0.</param>
    public ExpertsOperation(CudaProgramContext context, ExpertsNode node, ExpertProduct inner, ExpertProduct outer, nuint selectionBias)
        : base(context)
    {
        (this.node, block, experts) = (node, node.FeedForward, node.FeedForward.Experts!);
        (this.inner, this.outer, this.selectionBias) = (inner, outer, selectionBias);
    }

    public override IEnumerable<KernelInstance> Kernels =>
    [
        RouteKernel.Route, RouteKernel.Sort, CombineKernel.Instance,
        .. inner.Kernels, .. outer.Kernels,
        .. block.Plain ? [ActivationKernel.Plain(Context.Type, block.Activation)] : Array.Empty<KernelInstance>(),
    ];

    private ExpertScratch Scratch => node.Scratch ?? throw new InvalidOperationException("experts have no scratch values");

    public override void Run(in StepShape shape)
    {
        var assignments = shape.Tokens * experts.Active;
        var columns = Math.Min(RouteKernel.Columns(assignments, experts.Count), Math.Min(inner.MostColumns, outer.MostColumns));
        var routing = new ExpertTiles(Context.Address(Scratch.Routing), assignments, columns, RouteKernel.MostTiles(assignments, experts.Count, columns));
        Route(shape.Tokens, routing);
        var hidden = new ExpertOperand(Context.Address(Scratch.Hidden), ValueLayout.Stride(block.IntermediateSize));
        inner.Run(routing, new(Context.Address(node.X), ValueLayout.Stride(node.X)), hidden);
        if (block.Plain)
            Activate(assignments);
        outer.Run(routing, hidden, new(Context.Address(Scratch.Given), ValueLayout.Stride(node.Y)));
        Context.Launch(CombineKernel.Instance, CombineKernel.Shape(shape.Tokens), new CombineParams
        {
            X = Context.Address(Scratch.Given),
            Places = routing.Places,
            Weights = routing.Weights,
            Y = Context.Address(node.Y),
            Width = node.Y.Width,
            Active = experts.Active,
            XStride = ValueLayout.Stride(node.Y),
            WeightStride = experts.Active,
            YStride = ValueLayout.Stride(node.Y),
        });
    }

    private void Route(int tokens, in ExpertTiles routing)
    {
        Context.Launch(RouteKernel.Route, RouteKernel.RouteShape(tokens, experts), new RouteParams
        {
            Logits = Context.Address(node.Router),
            Bias = selectionBias,
            Chosen = routing.Chosen,
            Weights = routing.Weights,
            Rows = tokens,
            Experts = experts.Count,
            Active = experts.Active,
            Stride = ValueLayout.Stride(node.Router),
            Sigmoid = experts.Score == RouterScore.Sigmoid ? 1 : 0,
            Groups = experts.Groups?.Count ?? 0,
            ActiveGroups = experts.Groups?.Active ?? 0,
            Leading = experts.Groups?.Leading ?? 0,
            Normalized = experts.Normalized ? 1 : 0,
            Scale = experts.Scale ?? 1,
            Margin = experts.Margin ?? -1,
        });
        Context.Launch(RouteKernel.Sort, RouteKernel.SortShape(experts), new SortParams
        {
            Chosen = routing.Chosen,
            Sources = routing.Sources,
            Places = routing.Places,
            Tiles = routing.List,
            Assignments = routing.Assignments,
            Experts = experts.Count,
            Active = experts.Active,
            MostTiles = routing.Tiles,
            Columns = routing.Columns,
        });
    }

    private void Activate(int assignments)
    {
        var stride = ValueLayout.Stride(block.IntermediateSize);
        Context.Launch(ActivationKernel.Plain(Context.Type, block.Activation), ActivationKernel.Shape(assignments, block.IntermediateSize), new ActivationParams
        {
            X = Context.Address(Scratch.Hidden),
            Y = Context.Address(Scratch.Hidden),
            Rows = assignments,
            Width = block.IntermediateSize,
            XStride = stride,
            YStride = stride,
        });
    }
}

/// <summary><see cref="SwitchNode"/>: a sum of one weighed row.</summary>
internal sealed class SwitchOperation(CudaProgramContext context, SwitchNode node) : CudaOperation(context)
{
    public override IEnumerable<KernelInstance> Kernels => [CombineKernel.Instance];

    public override void Run(in StepShape shape) => Context.Launch(CombineKernel.Instance, CombineKernel.Shape(shape.Tokens), new CombineParams
    {
        X = Context.Address(node.X),
        Weights = Context.Address(node.Switch),
        Y = Context.Address(node.Y),
        Width = node.Y.Width,
        Active = 1,
        XStride = ValueLayout.Stride(node.X),
        WeightStride = ValueLayout.Stride(node.Switch),
        YStride = ValueLayout.Stride(node.Y),
        Sigmoid = 1,
    });
}
