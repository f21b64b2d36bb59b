//! Operators: signal.

use super::operator;
use crate::DType;

operator! {
    /// Blackman window of a given length.
    BlackmanWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
    }
}

operator! {
    /// Discrete Fourier transform along an axis.
    DFT {
        operands { input: one, dft_length: maybe, axis: maybe }
        results { output: one }
        attributes { inverse: bool [false], onesided: bool [false] }
        regions {  }
    }
}

operator! {
    /// Hamming window of a given length.
    HammingWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
    }
}

operator! {
    /// Hann window of a given length.
    HannWindow {
        operands { size: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32], periodic: bool [true] }
        regions {  }
    }
}

operator! {
    /// Matrix that maps a spectrum to mel bands.
    MelWeightMatrix {
        operands { num_mel_bins: one, dft_length: one, sample_rate: one, lower_edge_hertz: one, upper_edge_hertz: one }
        results { output: one }
        attributes { output_datatype: DType [DType::F32] }
        regions {  }
    }
}

operator! {
    /// Short-time Fourier transform.
    STFT {
        operands { signal: one, frame_step: one, window: maybe, frame_length: maybe }
        results { output: one }
        attributes { onesided: bool [true] }
        regions {  }
    }
}
