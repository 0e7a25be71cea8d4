namespace Weft.Interop;

/// <summary>CUresult: what a driver call returned. Values that no code names are passed on as they are.</summary>
public enum CudaResult
{
    /// <summary>No error.</summary>
    Success = 0,

    /// <summary>An argument is out of range.</summary>
    InvalidValue = 1,

    /// <summary>Not enough memory on the device.</summary>
    OutOfMemory = 2,

    /// <summary>cuInit was not called.</summary>
    NotInitialized = 3,

    /// <summary>The driver is shutting down.</summary>
    Deinitialized = 4,

    /// <summary>The driver on the machine is a stub.</summary>
    StubLibrary = 34,

    /// <summary>No device.</summary>
    NoDevice = 100,

    /// <summary>No such device.</summary>
    InvalidDevice = 101,

    /// <summary>The image of a module is damaged or of another kind.</summary>
    InvalidImage = 200,

    /// <summary>No context, or one that is gone.</summary>
    InvalidContext = 201,

    /// <summary>The module has no code for this device.</summary>
    NoBinaryForGpu = 209,

    /// <summary>PTX is wrong.</summary>
    InvalidPtx = 218,

    /// <summary>PTX is newer than the driver.</summary>
    UnsupportedPtxVersion = 222,

    /// <summary>No such kernel or variable.</summary>
    NotFound = 500,

    /// <summary>Work has not finished.</summary>
    NotReady = 600,

    /// <summary>A kernel touched memory that is not its own.</summary>
    IllegalAddress = 700,

    /// <summary>A launch asked for more registers, threads or shared memory than there are.</summary>
    LaunchOutOfResources = 701,

    /// <summary>A kernel ran too long.</summary>
    LaunchTimeout = 702,

    /// <summary>An address is not a multiple of the access's size.</summary>
    MisalignedAddress = 716,

    /// <summary>A kernel failed.</summary>
    LaunchFailed = 719,

    /// <summary>A call that capture does not allow.</summary>
    StreamCaptureUnsupported = 900,

    /// <summary>An earlier error ended the capture.</summary>
    StreamCaptureInvalidated = 901,

    /// <summary>The updated graph has another structure.</summary>
    GraphExecUpdateFailure = 910,

    /// <summary>No further description.</summary>
    Unknown = 999,
}
