namespace Weft;

/// <summary>Why an engine cannot serve a request that is right in itself.</summary>
public enum EngineFault
{
    /// <summary>Too many requests wait.</summary>
    QueueFull,

    /// <summary>The engine is closing, or closed.</summary>
    Closed,

    /// <summary>The request's time was up.</summary>
    Timeout,

    /// <summary>A step failed.</summary>
    Failed,
}

/// <summary>An engine cannot serve a request, and the request is not to blame.</summary>
public sealed class EngineException : WeftException
{
    /// <summary>Creates the exception.</summary>
    public EngineException(EngineFault fault, string message, Exception? innerException = null) : base(message, innerException!) => Fault = fault;

    /// <summary>What is the matter.</summary>
    public EngineFault Fault { get; }
}
